// What has been answered so far, and what is configured.

import { armName, dollars, element, milliseconds, number, percent, side } from "/page/words.js";

export function showStats(stats) {
  showShare(stats);
  showCost(stats.cost, stats.answers);
  const onDevice = ([, arm]) => Number(arm.place === "device");
  const arms = Object.entries(stats.arms).sort((one, other) => onDevice(other) - onDevice(one));
  fill("latency", arms.map(([name, arm]) => [
    tag(name, arm.place), String(arm.answers) + (arm.failures ? ` (${arm.failures} failed)` : ""),
    milliseconds(arm.first_token_ms_p50), milliseconds(arm.total_ms_p50),
    milliseconds(arm.total_ms_p95),
  ]));
  fill("last", stats.last.map((one) => [
    new Date(one.at * 1000).toLocaleTimeString(), tag(one.arm, one.place), number(one.score),
    number(one.threshold), milliseconds(one.first_token_ms), milliseconds(one.total_ms),
    one.answer_tokens === null ? "–" : `${one.prompt_tokens} + ${one.answer_tokens}`,
    (one.outcome === "done" ? "" : `${one.outcome}; `) + one.explanation,
  ]));
}

function showShare(stats) {
  const share = document.getElementById("share");
  const text = document.getElementById("share-text");
  if (!stats.answers) return;
  const kept = stats.cost_advantage;
  const said = `${percent(kept)} of ${stats.answers} answers came from this device`;
  share.setAttribute("aria-label", said);
  share.querySelector(".edge").style.width = `${kept * 100}%`;
  share.querySelector(".cloud").style.width = `${(1 - kept) * 100}%`;
  text.textContent = `${said}.`;
}

function showCost(cost, answers) {
  const text = document.getElementById("cost");
  if (!answers) return;
  text.textContent = cost.saved_usd === null
    ? "Cost: no prices are configured (cloud.price_in_usd_per_million and price_out_…)."
    : `Saved about ${dollars(cost.saved_usd)}, spent ${dollars(cost.spent_usd)} in the cloud` +
      (cost.uncounted ? `, ${cost.uncounted} answers of unknown price left out.` : ".");
}

export function showInfo(info) {
  const arms = info.arms.map((arm) =>
    element("span", `tag ${side(arm.place)}`,
      `${armName(arm.name)}: ${arm.model}`));
  document.getElementById("arms").replaceChildren(...arms);
  const list = document.getElementById("missing");
  const said = [...info.missing];
  if (info.reload && !info.reload.ok) said.push(`The last reload failed and ${info.reload.message}`);
  if (info.reload?.needs_restart.length) said.push(`The last reload is ${info.reload.message}`);
  list.hidden = said.length === 0;
  list.replaceChildren(...said.map((sentence) => element("li", "", sentence)));
  document.getElementById("state").textContent = info.ready ? "ready" : "loading models";
}

function tag(arm, place) {
  return element("span", `tag ${side(place)}`, arm);
}

function fill(id, rows) {
  if (!rows.length) return;
  document.getElementById(id).replaceChildren(...rows.map((cells) => {
    const row = element("tr");
    for (const cell of cells) {
      const made = element("td");
      made.append(cell);
      row.append(made);
    }
    return row;
  }));
}
