// The promises that the bundle holds for these models: pick one, and see what stands behind it.

import { element, number, percent } from "/page/words.js";

const OF = { absolute: "of quality", relative: "of the cloud's quality", gap: "of the gap" };

export class Promises {
  constructor(onPick) {
    this.box = document.getElementById("promises");
    this.picker = document.getElementById("promise");
    this.said = document.getElementById("promise-said");
    this.picker.addEventListener("change", () => this.#pick(onPick));
  }

  /** What can be picked: what the outcomes supported. */
  list(promises) {
    const held = promises.filter((one) => one.feasible);
    const key = JSON.stringify(held);
    if (key === this.key) return;
    this.key = key;
    this.held = held;
    this.box.hidden = held.length === 0;
    const options = held.map((one, at) => {
      const made = element("option", "", `${inWords(one)}: ${percent(one.cost_advantage)} stay here`);
      made.value = String(at);
      return made;
    });
    this.picker.replaceChildren(this.picker.firstElementChild, ...options);
    this.show(this.standing ?? null);
  }

  /** The one in force, with its bound; null while the dial says it. */
  show(standing) {
    this.standing = standing;
    const at = standing === null ? -1 : (this.held ?? []).findIndex((one) => same(one, standing));
    this.picker.value = at < 0 ? "" : String(at);
    this.said.textContent = standing === null ? "" :
      `Standing: ${inWords(standing)}. Measured drop ${number(standing.drop, 4)}, upper limit ` +
      `${number(standing.drop_bound, 4)}, from ${standing.n} outcomes. It is an average over traffic.`;
  }

  #pick(onPick) {
    const one = this.held[Number(this.picker.value)];
    if (this.picker.value === "") return;
    onPick({ promise: {
      max_drop: one.max_drop, confidence: one.confidence,
      drop_kind: one.kind,
    } });
  }
}

const same = (one, other) => one.kind === other.kind && one.max_drop === other.max_drop &&
  one.confidence === other.confidence;

const inWords = (one) =>
  `at most ${one.max_drop} ${OF[one.kind]} lost, ${percent(one.confidence)} sure`;
