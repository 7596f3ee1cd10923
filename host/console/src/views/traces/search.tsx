// What is searched for. It goes into the page's address, so that the search can be handed on.

import { address } from "../../route";

const FIELDS = [
  { key: "service", title: "Service", type: "search" },
  { key: "name", title: "Span", type: "search" },
  { key: "id", title: "Trace id", type: "search" },
  { key: "min_ms", title: "At least (ms)", type: "number" },
  { key: "max_ms", title: "At most (ms)", type: "number" },
] as const;

const FLAGS = [
  { key: "error", title: "With errors" },
  { key: "unknown", title: "Without a pod" },
] as const;

export function Search({ query }: { query: URLSearchParams }) {
  const search = (form: HTMLFormElement) => {
    const data = new FormData(form);
    const wanted: Record<string, string> = {};
    for (const [key, value] of data) if (typeof value === "string") wanted[key] = value.trim();
    // A whole id names one trace.
    location.hash = /^[0-9a-f]{32}$/i.test(wanted.id ?? "") ? address("traces", wanted.id?.toLowerCase()) : address("traces", null, wanted);
  };
  return (
    <form
      class="search"
      role="search"
      aria-label="Traces"
      onSubmit={(event) => {
        event.preventDefault();
        search(event.currentTarget);
      }}
    >
      {FIELDS.map(({ key, title, type }) => (
        <label>
          {title}{" "}
          {type === "number" ? (
            <input name={key} type="number" min={0} step="any" defaultValue={query.get(key) ?? ""} />
          ) : (
            <input name={key} type="search" defaultValue={query.get(key) ?? ""} />
          )}
        </label>
      ))}
      {FLAGS.map(({ key, title }) => (
        <label class="flag"><input name={key} type="checkbox" value="1" defaultChecked={query.get(key) === "1"} /> {title}</label>
      ))}
      <span class="search-buttons">
        <button type="submit">Search</button>
        {query.size > 0 && <a href={address("traces")}>Show all</a>}
      </span>
    </form>
  );
}
