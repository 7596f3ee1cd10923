// The console of podstamp: which pod every span came from, and why.

import { render } from "preact";
import { App } from "./app";
import { follow } from "./data/events";
import { followTheme } from "./data/theme";
import { followAddress } from "./route";

followTheme();
followAddress();
follow();
const place = document.getElementById("console");
if (place) {
  place.textContent = "";
  render(<App />, place);
}
