// A colour for each service of a trace. With more services than colours, colours repeat: the names stand in bars and legend.

import type { Trace, TraceResource } from "../data/contract";
import { isPodless as isFoundPodless } from "../words";

export interface TracedService {
  name: string;
  /** One of the style sheet's classes. */
  colour: string;
  spans: number;
  /** Spans of pods that are not known. */
  unknown: number;
}

export function services(trace: Trace): Map<string, TracedService> {
  const found = new Map<string, TracedService>();
  for (const span of trace.spans) {
    const resource = trace.resources[span.resource];
    const name = resource?.service ?? "";
    let service = found.get(name);
    if (service === undefined) found.set(name, (service = { name, colour: `colour-${found.size % COLOURS}`, spans: 0, unknown: 0 }));
    service.spans += 1;
    if (isPodless(resource)) service.unknown += 1;
  }
  return found;
}

export function isPodless(resource: TraceResource | undefined): boolean {
  return resource === undefined || isFoundPodless(resource.found);
}

const COLOURS = 12;
