// A provider of OpenID Connect for tests: any name signs in with any password; claims are set by POST /people/NAME,
// where {"gone": true} removes somebody; GET /asked tells what it was asked for.
// Usage: node provider.mjs [PORT]; the first line printed is the issuer.
import { createServer } from 'node:http';
import { once } from 'node:events';
import Provider from 'oidc-provider';

const people = new Map();
const asked = [];

const server = createServer();
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [],
  claims: {
    openid: ['sub', 'voperson_id', 'orcid', 'entitlements', 'eduperson_entitlement', 'eduperson_assurance'],
    profile: ['name', 'preferred_username'],
    email: ['email', 'email_verified'],
  },
  cookies: { keys: ['only-for-tests'] },
  features: {
    registration: { enabled: true },
    deviceFlow: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
    backchannelLogout: { enabled: true },
    devInteractions: { enabled: true },
  },
  pkce: { required: () => true },
  ttl: { Session: 3600, Interaction: 600, Grant: 3600, IdToken: 600, AccessToken: 600 },
  // Its guard against addresses of this machine would keep it from telling portals on loopback of a logout.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  // As careful providers do: a refresh token is taken once, and one that comes again ends all that followed from it.
  rotateRefreshToken: true,
  findAccount: (ctx, id) => people.get(id)?.gone ? undefined : ({
    accountId: id,
    claims: () => ({ name: id, email: `${id}@example.org`, ...people.get(id), sub: id }),
  }),
  // Whoever signs in has agreed: consent is the provider's affair, not the portal's.
  loadExistingGrant: async (ctx) => {
    const grant = new provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid profile email offline_access');
    await grant.save();
    return grant;
  },
});

const answer = provider.callback();
server.on('request', async (request, response) => {
  if (request.url === '/asked') {
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(asked));
    return;
  }
  asked.push(`${request.method} ${request.url.split('?')[0]}`);
  const name = /^\/people\/(.+)$/.exec(request.url)?.[1];
  if (name === undefined || request.method !== 'POST') return answer(request, response);
  let body = '';
  for await (const part of request) body += part;
  people.set(decodeURIComponent(name), JSON.parse(body));
  response.writeHead(204).end();
});
console.log(issuer);

// It ends with whoever started it.
process.stdin.on('end', () => process.exit()).resume();
