// Zooms and moves what is inside a stage: by wheel, double click, pinch, drag and two buttons.

import { button, el } from "./dom.js";
import { t } from "./words.js";

const MOST = 8, STEP = 1.6, DOUBLE = 2.5, TWICE = 300; // largest zoom, that of a button and of a double click; milliseconds between two taps

export class Zoom {
  // `larger` is called once something is zoomed in, to show more detail; `swiped` when the picture is pushed aside.
  constructor(stage, frame, { larger, swiped }) {
    Object.assign(this, { stage, frame, larger, swiped, scale: 1, x: 0, y: 0, fingers: new Map(), tapped: 0 });
    stage.addEventListener("wheel", (event) => { event.preventDefault(); this.zoom(event.deltaY > 0 ? 1 / 1.2 : 1.2, event); }, { passive: false });
    frame.addEventListener("pointerdown", (event) => this.down(event));
    frame.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, (event) => this.up(event));
    frame.addEventListener("dblclick", (event) => { if (event.pointerType !== "touch") this.toggle(event); });
    const tool = (label, text, act) => button({ "aria-label": t(label), title: t(label), onclick: act }, text);
    stage.append(el("div", { class: "zoom" }, tool("zoomIn", "+", () => this.zoom(STEP)), tool("zoomOut", "−", () => this.zoom(1 / STEP))));
  }

  toggle(event) {
    this.zoom(this.scale > 1 ? 1 / this.scale : DOUBLE, event);
  }

  // Around a point of the window, else around the middle.
  zoom(factor, at) {
    const box = this.stage.getBoundingClientRect();
    const scale = Math.min(MOST, Math.max(1, this.scale * factor));
    const px = (at?.clientX ?? box.left + box.width / 2) - box.left - box.width / 2;
    const py = (at?.clientY ?? box.top + box.height / 2) - box.top - box.height / 2;
    this.x = px - ((px - this.x) * scale) / this.scale;
    this.y = py - ((py - this.y) * scale) / this.scale;
    this.scale = scale;
    if (scale > 1 && this.larger) { this.larger(); this.larger = null; }
    this.place();
  }

  // Keeps the picture in the stage: it is never pushed out of it.
  place() {
    const { clientWidth, clientHeight } = this.stage, wide = this.frame.offsetWidth * this.scale, high = this.frame.offsetHeight * this.scale;
    const room = (whole, part) => Math.max(0, (whole - part) / 2);
    this.x = Math.max(-room(wide, clientWidth), Math.min(room(wide, clientWidth), this.x));
    this.y = Math.max(-room(high, clientHeight), Math.min(room(high, clientHeight), this.y));
    this.frame.style.transform = this.scale === 1 ? "" : `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.stage.classList.toggle("zoomed", this.scale > 1);
  }

  down(event) {
    if (event.target.closest("video")) return;
    this.frame.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, event);
    if (this.fingers.size === 1) this.start = { x: event.clientX, y: event.clientY, at: event.timeStamp };
    else this.start = null;
  }

  move(event) {
    const before = this.fingers.get(event.pointerId);
    if (!before) return;
    const other = [...this.fingers.values()].find((each) => each.pointerId !== event.pointerId);
    if (other) {
      const span = (a) => Math.hypot(a.clientX - other.clientX, a.clientY - other.clientY);
      const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
      this.zoom(span(event) / Math.max(1, span(before)), middle);
    } else if (this.scale > 1) {
      this.x += event.clientX - before.clientX;
      this.y += event.clientY - before.clientY;
      this.place();
    }
    this.fingers.set(event.pointerId, event);
  }

  up(event) {
    if (!this.fingers.delete(event.pointerId) || !this.start) return;
    const dx = event.clientX - this.start.x, dy = event.clientY - this.start.y;
    if (event.pointerType === "touch" && Math.hypot(dx, dy) < 12) {
      const twice = event.timeStamp - this.tapped < TWICE;
      this.tapped = twice ? 0 : event.timeStamp;
      if (twice) this.toggle(event);
    } else if (this.scale === 1 && event.pointerType === "touch" && Math.abs(dx) > 60 && Math.abs(dx) > 1.5 * Math.abs(dy)) this.swiped(dx < 0 ? 1 : -1);
    this.start = null;
  }
}
