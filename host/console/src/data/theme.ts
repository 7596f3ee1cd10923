// Light or dark: as the system has it, unless it was chosen here.

import { Store } from "./store";

export type Theme = "system" | "light" | "dark";

export const theme = new Store<Theme>("system");

export function followTheme(): void {
  theme.follow(() => {
    document.documentElement.dataset.theme = theme.value;
    try {
      localStorage.setItem(KEY, theme.value);
    } catch {
      // A browser that keeps nothing: the choice lasts as long as the page.
    }
  });
  theme.set(kept());
}

function kept(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    return "system";
  }
}

const KEY = "podstamp.theme";
