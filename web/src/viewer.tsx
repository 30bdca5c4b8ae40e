import "@h5web/app/styles.css";
import { App, createBasicFetcher, H5GroveProvider } from "@h5web/app";
import { createRoot } from "react-dom/client";

const place = document.getElementById("viewer");
if (place) {
  const { file = "", name = "", path = "/" } = place.dataset;
  createRoot(place).render(
    <H5GroveProvider url={new URL(file, location.href).href} filepath={name} fetcher={createBasicFetcher()}>
      <App initialPath={path} disableDarkMode />
    </H5GroveProvider>,
  );
}
