// Requests to the admin listener, and hooks that keep an answer.

import { useEffect, useState } from "preact/hooks";
import { usePaused } from "./paused";

/** What a request came to so far. An answer stays while a later request fails. */
export interface Asked<T> {
  answer: T | null;
  /** Why the last request failed. */
  error: string | null;
  /** Asks once more. */
  again: () => void;
}

/** Asks for JSON. Fails with what the listener says is wrong. */
export async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, { cache: "no-store", credentials: "same-origin", ...init });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Error("podstamp does not answer. The page asks again.");
  }
  const text = await response.text();
  if (!response.ok) throw new Error(told(text) ?? `podstamp answers ${response.status} to ${path}`);
  return JSON.parse(text) as T;
}

/**
 * Keeps the answer to a path: asks at once, whenever the path or `instance` changes, and every `everyMs` milliseconds unless
 * the page is hidden or paused. `null` as the path asks nothing.
 */
export function useAsked<T>(path: string | null, everyMs: number | null, instance = ""): Asked<T> {
  const [state, setState] = useState<{ path: string | null; answer: T | null; error: string | null }>({ path, answer: null, error: null });
  const [round, setRound] = useState(0);
  const paused = usePaused();
  useEffect(() => {
    if (path === null) return;
    const controller = new AbortController();
    let timer = 0;
    const once = async () => {
      if (!document.hidden) {
        try {
          const answer = await ask<T>(path, { signal: controller.signal });
          setState({ path, answer, error: null });
        } catch (error) {
          if (controller.signal.aborted) return;
          const message = error instanceof Error ? error.message : String(error);
          setState((was) => ({ path, answer: was.path === path ? was.answer : null, error: message }));
        }
      }
      if (everyMs !== null && !paused && !controller.signal.aborted) timer = window.setTimeout(once, everyMs);
    };
    void once();
    return () => {
      controller.abort();
      window.clearTimeout(timer);
    };
  }, [path, everyMs, instance, round, paused]);
  const mine = state.path === path;
  return {
    answer: mine ? state.answer : null,
    error: mine ? state.error : null,
    again: () => setRound((was) => was + 1),
  };
}

function told(text: string): string | null {
  try {
    const error = (JSON.parse(text) as { error?: unknown }).error;
    return typeof error === "string" ? error : null;
  } catch {
    return text.trim().slice(0, 500) || null;
  }
}
