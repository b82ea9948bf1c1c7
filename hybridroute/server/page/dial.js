// The dial: a slider, what its position is expected to do, and the curve it stands on.

import { put, read } from "/page/api.js";
import { Curve } from "/page/draw.js";
import { Promises } from "/page/promises.js";
import { dollars, element, heldBy, number, percent, sentence } from "/page/words.js";

const PAUSE_MS = 150;

export class Dial {
  constructor(onProblem) {
    this.slider = document.getElementById("dial");
    this.value = document.getElementById("dial-value");
    this.onProblem = onProblem;
    this.turning = false;
    this.promises = new Promises((body) => this.#put(body));
    this.slider.addEventListener("input", () => {
      this.#show();
      this.#turnSoon();
    });
  }

  async load() {
    this.data = await read("/v1/hybridroute/curve");
    this.curve = new Curve(document.getElementById("curve"), this.data);
    this.slider.step = 1 / (this.data.points.length - 1);
    this.slider.disabled = false;
    const ends = document.getElementById("dial-ends");
    ends.lastElementChild.textContent =
      this.data.knob === "cost_advantage" ? "all in the cloud" : "best of the pair";
    ends.hidden = this.data.only_arm !== null;  // then neither end is another than the other
    document.getElementById("curve-note").textContent = this.#note();
    await this.refresh();
  }

  /** Follow the server: somebody else may have turned the dial. */
  async refresh() {
    if (!this.data || this.turning) return;
    const held = await read("/v1/hybridroute/dial");
    if (this.turning) return;
    this.promises.show(held.expectation.promise);
    this.slider.value = this.#positionOf(held);
    this.#show();
    this.#showHeld(held.controller);
  }

  /** What turns the dial by itself, and why it did so last. */
  #showHeld(controller) {
    const line = document.getElementById("held");
    line.hidden = !controller;
    line.textContent = controller ? heldBy(controller) : "";
  }

  #note() {
    if (this.data.only_arm) return sentence(this.data.only_arm.why);
    if (this.data.calibrated && this.data.reason === null) {
      const count = this.data.points[0].n;
      return `Measured on ${count} calibration queries. An average over traffic, not a promise for one answer.`;
    }
    if (this.data.calibrated) return this.data.reason;
    return "Not calibrated for these models, so what a setting costs in quality is unknown: the " +
      "dial is the share of queries for the cloud.";
  }

  #positionOf(held) {
    if (held.setting.kind === this.data.knob) {
      return this.data.knob === "cost_advantage" ? 1 - held.setting.value : held.setting.value;
    }
    // Said in another way: the first position that sends as much to the cloud.
    const reach = (point) => point.threshold ?? point.cost_usd;
    const found = this.data.points.find((point) => reach(point) >= reach(held.expectation));
    return found ? found.at : 1;
  }

  #point() {
    return this.data.points[Math.round(this.slider.valueAsNumber * (this.data.points.length - 1))];
  }

  #show() {
    const point = this.#point();
    this.value.textContent = point.at.toFixed(2);
    const kept = point.cost_advantage ?? 1 - point.at;
    document.getElementById("expect-share").textContent =
      (point.cost_advantage === null ? "about " : "") + percent(kept);
    document.getElementById("expect-drop").replaceChildren(...this.#drop(point));
    this.#mark(point);
    this.slider.setAttribute("aria-valuetext",
      `${point.at.toFixed(2)}, ${percent(kept)} stays on this device`);
    this.curve.mark(point);
  }

  /** The threshold of two arms; of several, what a query is expected to cost. */
  #mark(point) {
    const shown = document.getElementById("expect-threshold");
    const isPool = point.threshold === null;
    shown.previousElementSibling.textContent = isPool ? "cost of a query" : "threshold";
    shown.textContent = isPool && point.cost_usd !== null
      ? dollars(point.cost_usd) : number(point.threshold);
  }

  #drop(point) {
    if (point.quality_drop === null) return [this.data.only_arm ? "–" : "unknown"];
    const relative = point.quality_drop_relative;
    const said = number(point.quality_drop);
    return relative === null ? [said] : [said, element("small", "", percent(relative, 1))];
  }

  #turnSoon() {
    this.turning = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#turn(), PAUSE_MS);
  }

  #turn() {
    this.promises.show(null);
    return this.#put(this.#point().put);
  }

  async #put(body) {
    try {
      await put("/v1/hybridroute/dial", body);
      this.onProblem(null);
    } catch (error) {
      this.onProblem(error);
    } finally {
      this.turning = false;
    }
  }
}
