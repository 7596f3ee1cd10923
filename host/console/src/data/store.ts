// A value that parts of the page follow.

import { useEffect, useState } from "preact/hooks";

export class Store<T> {
  private readonly followers = new Set<() => void>();

  constructor(private current: T) {}

  get value(): T {
    return this.current;
  }

  set(value: T): void {
    if (Object.is(value, this.current)) return;
    this.current = value;
    for (const follower of [...this.followers]) follower();
  }

  follow(follower: () => void): () => void {
    this.followers.add(follower);
    return () => this.followers.delete(follower);
  }
}

/** The store's value, or a part of it: the component is drawn anew when that changes. */
export function useStore<T, P = T>(store: Store<T>, part: (value: T) => P = (value) => value as unknown as P): P {
  const [, draw] = useState(0);
  const value = part(store.value);
  useEffect(() => {
    let drawn = value;
    const check = () => {
      const now = part(store.value);
      if (!Object.is(now, drawn)) {
        drawn = now;
        draw((was) => was + 1);
      }
    };
    // It may have changed between drawing and this.
    check();
    return store.follow(check);
  }, [store]);
  return value;
}
