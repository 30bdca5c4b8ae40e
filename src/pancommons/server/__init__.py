"""What the commons says over HTTP: a module for each face, put together in `app`."""
