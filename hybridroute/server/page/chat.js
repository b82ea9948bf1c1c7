// The conversation: questions, answers as they stream in, and which arm gave each and why.
// Text of people and models reaches the page through textContent alone.

import { chat } from "/page/api.js";
import { meter } from "/page/draw.js";
import { armName, element, milliseconds, side } from "/page/words.js";

const IDEAS = [
  "What is 17 + 25?",
  "Rewrite politely: send me the file.",
  "Explain how a transistor amplifies a signal.",
];

export class Conversation {
  constructor(onAnswer) {
    this.log = document.getElementById("log");
    this.empty = document.getElementById("empty");
    this.field = document.getElementById("ask");
    this.send = document.getElementById("send");
    this.stop = document.getElementById("stop");
    this.mode = document.getElementById("mode");
    this.onAnswer = onAnswer;
    this.messages = [];
    this.session = newSession();
    this.under = null;
    this.#listen();
  }

  #listen() {
    document.getElementById("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask(this.field.value);
    });
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.ask(this.field.value);
    });
    this.stop.addEventListener("click", () => this.under?.abort());
    document.getElementById("new").addEventListener("click", () => this.begin());
    const ideas = IDEAS.map((text) => {
      const button = element("button", "", text);
      button.type = "button";
      button.addEventListener("click", () => this.ask(text));
      return button;
    });
    document.getElementById("ideas").replaceChildren(...ideas);
  }

  /** Forget what was said. */
  begin() {
    this.under?.abort();
    this.messages = [];
    this.session = newSession();
    this.log.replaceChildren(this.empty);
    this.field.focus();
  }

  async ask(given) {
    const text = given.trim();
    if (!text || this.under) return;
    this.field.value = "";
    this.empty.remove();
    const messages = this.messages;
    messages.push({ role: "user", content: text });
    this.log.append(element("div", "said", text));
    const answer = new Answer(this.log);
    this.#busy(new AbortController());
    try {
      await this.#receive(answer, messages);
      messages.push({ role: "assistant", content: answer.text });
    } catch (error) {
      // Without this the next question would carry one that was never answered.
      if (answer.text) messages.push({ role: "assistant", content: answer.text });
      else messages.pop();
      answer.fail(error.name === "AbortError" ? "stopped" : error.message);
    } finally {
      answer.end();
      this.#busy(null);
      this.onAnswer();
    }
  }

  async #receive(answer, messages) {
    const body = {
      model: "hybridroute", messages, stream: true, mode: this.mode.value, session: this.session,
    };
    for await (const chunk of chat(body, this.under.signal)) {
      answer.decide(chunk.hybridroute, chunk.model);
      answer.add(chunk.choices[0]?.delta.content ?? "");
    }
  }

  #busy(under) {
    this.under = under;
    this.log.setAttribute("aria-busy", String(under !== null));
    this.send.hidden = under !== null;
    this.stop.hidden = under === null;
    (under ? this.stop : this.field).focus({ preventScroll: true });
  }
}

/** Not randomUUID: that is for secure contexts only, which plain HTTP elsewhere is not. */
function newSession() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `page-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** What each arm of several was worth to the router, the best first; a score says it for two. */
function utilities(decision) {
  if (decision.score !== null) return "";
  return Object.entries(decision.estimates ?? {})
    .filter(([name]) => !(name in decision.left_out))
    .map(([name, held]) => [name, held.mean - held.charge])
    .sort((one, other) => other[1] - one[1])
    .map(([name, worth]) => `${name} ${worth.toFixed(3)}`)
    .join(" · ");
}

class Answer {
  constructor(log) {
    this.log = log;
    this.text = "";
    this.start = performance.now();
    this.first = null;
    this.words = element("div", "words");
    this.why = element("div", "why");
    this.box = element("article", "answer waiting");
    this.box.append(this.words, this.why);
    log.append(this.box);
    this.#follow(true);
  }

  decide(decision, model) {
    if (this.decision) return;
    this.decision = decision;
    this.first = performance.now() - this.start;
    this.box.classList.add(side(decision.place));
    this.box.dataset.arm = decision.arm;
    const tag = element("span", `tag ${side(decision.place)}`);
    tag.textContent = `${armName(decision.arm)} · ${model}`;
    this.why.append(tag);
    if (decision.score !== null) {
      const sign = decision.score >= decision.threshold ? "≥" : "<";
      const said = `${decision.score.toFixed(3)} ${sign} ${decision.threshold.toFixed(3)}`;
      this.why.append(meter(decision.score, decision.threshold), element("span", "numbers", said));
    }
    const said = utilities(decision);
    if (said) this.why.append(element("span", "numbers", said));
    this.time = element("span", "time");
    this.why.append(this.time, element("span", "sentence", decision.explanation));
  }

  add(text) {
    if (!text) return;
    const atEnd = this.#atEnd();
    const shown = this.text.trim() ? text : text.trimStart();  // many models begin with a space
    this.text += text;
    this.words.append(shown);
    if (atEnd) this.#follow(false);
  }

  fail(message) {
    this.box.append(element("p", "failed", message));
  }

  end() {
    this.box.classList.remove("waiting");
    if (this.time) {
      const whole = performance.now() - this.start;
      this.time.textContent = `first token ${milliseconds(this.first)}, whole ${milliseconds(whole)}`;
    }
    this.#follow(false);
  }

  #atEnd() {
    return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 80;
  }

  #follow(always) {
    if (always || this.#atEnd()) this.log.scrollTop = this.log.scrollHeight;
  }
}
