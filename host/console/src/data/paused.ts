// Whether the page holds still: what moves by itself can be stopped (WCAG 2.2.2).

import { Store, useStore } from "./store";

export const paused = new Store(false);

export function usePaused(): boolean {
  return useStore(paused);
}
