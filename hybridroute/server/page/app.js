// Starts the page, and keeps it in step with the server while it is looked at.

import { read } from "/page/api.js";
import { Conversation } from "/page/chat.js";
import { Dial } from "/page/dial.js";
import { showInfo, showStats } from "/page/panels.js";

const EVERY_MS = 2000;
const state = document.getElementById("state");

function showProblem(error) {
  if (error) state.textContent = error instanceof TypeError ? "the server does not answer" : error.message;
}

const dial = new Dial(showProblem);
let curveOf = null;

/** What the curve stands for: it is another one after a reload that changed models or bundle. */
const madeOf = (info) => JSON.stringify([info.arms, info.bundle, info.mode, info.reload?.at]);

async function refresh() {
  try {
    const [info, stats] = await Promise.all([
      read("/v1/hybridroute/info"), read("/v1/hybridroute/stats"),
    ]);
    if (curveOf !== madeOf(info)) {
      await dial.load();
      curveOf = madeOf(info);
    } else await dial.refresh();
    showInfo(info);
    dial.promises.list(info.promises);
    showStats(stats);
  } catch (error) {
    showProblem(error);
  }
}

new Conversation(refresh);
await refresh();
setInterval(() => { if (!document.hidden) refresh(); }, EVERY_MS);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
