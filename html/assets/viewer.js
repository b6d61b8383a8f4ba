/*
 * The letter's picture for clerks: zoom, turn, fit and move by buttons,
 * mouse, touch and keyboard.  Without it the picture is simply shown.
 */

function viewer(box) {
  const stage = box.querySelector(".stage");
  const img = stage.querySelector("img");
  const pointers = new Map();
  let scale = 1, turn = 0, x = 0, y = 0, fitted = "fit", spread = 0;

  const size = () => turn % 180
    ? [img.naturalHeight, img.naturalWidth] : [img.naturalWidth, img.naturalHeight];

  const draw = () => {
    const [w, h] = size();
    const limit = (at, room, length) => length <= room
      ? (room - length) / 2 : Math.min(0, Math.max(room - length, at));
    x = limit(x, stage.clientWidth, w * scale);
    y = limit(y, stage.clientHeight, h * scale);

    /* the picture turns about its corner: move it back into the frame */
    const back = { 0: [0, 0], 90: [w, 0], 180: [w, h], 270: [0, h] }[turn];
    img.style.transform = `translate(${x + back[0] * scale}px, ${y + back[1] * scale}px)`
      + ` rotate(${turn}deg) scale(${scale})`;
  };

  const fit = (how) => {
    const [w, h] = size();
    const wide = stage.clientWidth / w;
    fitted = how;
    scale = how === "width" ? wide : Math.min(wide, stage.clientHeight / h);
    x = y = 0;
    draw();
  };

  const zoom = (by, cx = stage.clientWidth / 2, cy = stage.clientHeight / 2) => {
    const next = Math.min(8, Math.max(0.05, scale * by));
    x = cx - (cx - x) * (next / scale);
    y = cy - (cy - y) * (next / scale);
    scale = next;
    fitted = "";
    draw();
  };

  const rotate = (by) => {
    turn = (turn + by + 360) % 360;
    fit(fitted || "fit");
  };

  const move = (dx, dy) => {
    x += dx;
    y += dy;
    draw();
  };

  const acts = {
    in: () => zoom(1.25), out: () => zoom(0.8),
    left: () => rotate(-90), right: () => rotate(90),
    fit: () => fit("fit"), width: () => fit("width"),
  };

  const keys = {
    "+": acts.in, "=": acts.in, "-": acts.out, "0": acts.fit,
    "[": acts.left, "]": acts.right,
    ArrowLeft: () => move(80, 0), ArrowRight: () => move(-80, 0),
    ArrowUp: () => move(0, 80), ArrowDown: () => move(0, -80),
  };

  const begin = () => {
    if (!img.naturalWidth) return;
    img.width = img.naturalWidth;
    img.height = img.naturalHeight;
    stage.classList.add("live");
    fit("fit");
  };

  box.querySelectorAll("[data-do]").forEach((button) =>
    button.addEventListener("click", () => acts[button.dataset.do]()));

  stage.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || !keys[e.key]) return;
    e.preventDefault();
    keys[e.key]();
  });

  stage.addEventListener("wheel", (e) => {
    if (!e.ctrlKey && !e.metaKey && fitted === "fit") return;
    e.preventDefault();
    const at = stage.getBoundingClientRect();
    if (e.ctrlKey || e.metaKey) {
      zoom(e.deltaY < 0 ? 1.15 : 0.87, e.clientX - at.left, e.clientY - at.top);
    } else {
      move(-e.deltaX, -e.deltaY);
    }
  }, { passive: false });

  stage.addEventListener("dblclick", (e) => {
    const at = stage.getBoundingClientRect();
    if (fitted) zoom(2, e.clientX - at.left, e.clientY - at.top);
    else fit("fit");
  });

  stage.addEventListener("pointerdown", (e) => {
    pointers.set(e.pointerId, [e.clientX, e.clientY]);
    stage.setPointerCapture(e.pointerId);
    stage.classList.add("held");
    spread = 0;
  });

  stage.addEventListener("pointermove", (e) => {
    const last = pointers.get(e.pointerId);
    if (!last) return;
    pointers.set(e.pointerId, [e.clientX, e.clientY]);
    if (pointers.size === 1) {
      move(e.clientX - last[0], e.clientY - last[1]);
      return;
    }
    const [[ax, ay], [bx, by]] = [...pointers.values()];
    const wide = Math.hypot(ax - bx, ay - by);
    const at = stage.getBoundingClientRect();
    if (spread) zoom(wide / spread, (ax + bx) / 2 - at.left, (ay + by) / 2 - at.top);
    spread = wide;
  });

  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, (e) => {
      pointers.delete(e.pointerId);
      spread = 0;
      if (!pointers.size) stage.classList.remove("held");
    });
  }

  new ResizeObserver(() => stage.classList.contains("live")
    && (fitted ? fit(fitted) : draw())).observe(stage);

  img.draggable = false;
  if (img.complete) begin();
  else img.addEventListener("load", begin);
}

const start = (root) => root.querySelectorAll("[data-viewer]").forEach(viewer);

start(document);
document.addEventListener("replaced", (e) => start(e.target));
