import { copyFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const built = "../src/pancommons/server/static/built";
const found = createRequire(import.meta.url);

/** htmx goes beside the viewer as it comes. */
const htmx = {
  name: "htmx",
  closeBundle() {
    copyFileSync(found.resolve("htmx.org/dist/htmx.min.js"), join(import.meta.dirname, built, "htmx.js"));
  },
};

// The base is relative: the portal may be mounted below any path.
export default defineConfig({
  base: "./",
  resolve: {
    alias: {
      "ndarray-ops": join(import.meta.dirname, "src/ndarray.ts"),
      ndarray: join(import.meta.dirname, "src/ndarray.ts"),
    },
  },
  plugins: [react(), htmx],
  build: {
    outDir: built,
    emptyOutDir: true,
    target: "es2022",
    sourcemap: false,
    license: { fileName: "licenses.md" },
    chunkSizeWarningLimit: 2000,
    rolldownOptions: {
      input: { viewer: "src/viewer.tsx" },
      output: {
        entryFileNames: "[name].js",
        chunkFileNames: "[name]-[hash].js",
        assetFileNames: "[name][extname]",
      },
    },
  },
});
