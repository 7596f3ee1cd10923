// The configuration as it was read, and two boxes to try things in. Nothing here changes what podstamp does.

import { useAsked } from "../data/ask";
import type { Configuration as Answer } from "../data/contract";
import { stream } from "../data/events";
import { useStore } from "../data/store";
import { Failed, Panel, Waiting } from "../parts/notice";
import { CheckBox } from "./configuration/check_box";
import { Document, Placeless } from "./configuration/document";
import { RewriteBox } from "./configuration/rewrite_box";

export function Configuration() {
  const instance = useStore(stream, ({ live }) => live?.instance ?? "");
  const { answer, error, again } = useAsked<Answer>("console/configuration", null, instance);
  return (
    <div class="configuration">
      <Panel id="document" title="The configuration as read" note="secrets are shown as ***">
        <Failed error={error} again={again} />
        {!answer && error === null && <Waiting what="the configuration" />}
        {answer && <Placeless notices={answer.notices} />}
        {answer && <Document lines={answer.lines} label="The configuration" />}
      </Panel>
      <div class="boxes">
        <CheckBox />
        <RewriteBox />
      </div>
    </div>
  );
}
