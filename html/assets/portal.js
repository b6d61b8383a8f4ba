/*
 * What the pages do better with a script.  Everything works without it.
 * No inline style, no innerHTML: the policy of the site forbids them.
 */

const doc = document;
const fa = (n) => String(n).replace(/\d/g, (d) => "۰۱۲۳۴۵۶۷۸۹"[d]);
const make = (tag, className, text) => {
  const node = doc.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
};

doc.documentElement.classList.add("js");

const sending = new WeakSet();   /* forms whose files are on the way */
const pending = new WeakMap();   /* forms whose pictures are being shrunk */


/* Links of the error summary focus the field, not only scroll to it. */

function errors(root) {
  const box = root.querySelector("#error-summary");
  if (!box) return;
  box.focus();
  box.addEventListener("click", (e) => {
    const a = e.target.closest("a");
    const field = a && doc.getElementById(decodeURIComponent(a.hash.slice(1)));
    if (!field) return;
    e.preventDefault();
    const control = field.matches("input, select, textarea")
      ? field : field.querySelector("input, select, textarea") || field;
    field.closest("details")?.setAttribute("open", "");
    (field.closest(".field") || field).scrollIntoView();
    control.focus({ preventScroll: true });
  });
}


/* A second click within a while, or while files go, is not a second one. */

function guard(form) {
  form.addEventListener("submit", (e) => {
    if (form.hasAttribute("aria-busy")) {
      e.preventDefault();
      e.stopImmediatePropagation();
      return;
    }
    form.setAttribute("aria-busy", "true");
    setTimeout(() => sending.has(form) || form.removeAttribute("aria-busy"), 4000);
  });
}


function reveal(button) {
  const field = doc.getElementById(button.dataset.reveal);
  const set = (shown) => {
    field.type = shown ? "text" : "password";
    button.textContent = shown ? button.dataset.hide : button.dataset.show;
  };
  set(false);
  button.addEventListener("click", () => set(field.type === "password"));
  field.form.addEventListener("submit", () => set(false));
}


/*
 * Seconds until another try; not announced each second.  What is far away was
 * told in minutes or hours, and stays so.
 */

function countdown(line) {
  const left = line.querySelector("[data-left]");
  const end = Date.now() + line.dataset.countdown * 1000;
  const timer = setInterval(() => {
    const seconds = Math.ceil((end - Date.now()) / 1000);
    if (seconds > 0) {
      if (seconds <= 120) left.textContent = `${fa(seconds)} ثانیه`;
      return;
    }
    clearInterval(timer);
    line.hidden = true;
  }, 1000);
}


/* The code out of the SMS, where the browser offers it. */

function otp(form) {
  if (!("OTPCredential" in window)) return;
  const stop = new AbortController();
  form.addEventListener("submit", () => stop.abort());
  navigator.credentials
    .get({ otp: { transport: ["sms"] }, signal: stop.signal })
    .then((otp) => { if (otp?.code) form.elements.code.value = otp.code; })
    .catch(() => {});
}


/* Another picture without losing the page. */

function captcha(box) {
  const id = box.querySelector("[name=captcha_id]");
  const news = box.querySelector("[data-captcha-news]");
  box.querySelector("[name=captcha_new]").addEventListener("click", async (e) => {
    e.preventDefault();
    const base = box.dataset.captcha;
    try {
      const body = new URLSearchParams({ csrf: id.form.elements.csrf.value });
      const reply = await fetch(base, { method: "POST", body,
        headers: { Accept: "application/json" } });
      let fresh = /\/captcha\/([^/]+)\.png$/.exec(reply.url)?.[1];
      if (!fresh && reply.ok) {
        const data = await reply.json();
        fresh = data.captcha?.id ?? data.id;
      }
      if (!fresh) throw reply.status;
      id.value = fresh;
      box.querySelector("img").src = `${base}/${fresh}.png`;
      box.querySelector("audio").src = `${base}/${fresh}.wav`;
      const field = box.querySelector("[name=captcha]");
      field.value = "";
      field.focus();
      news.textContent = "تصویر تازه آمد";
      news.className = "sr";
    } catch {
      news.textContent = "تصویر تازه نیامد؛ کمی بعد دوباره بزنید";
      news.className = "field-error";
    }
  });
}


/* Files: a list with previews, smaller pictures, one after another. */

const EDGE = 2400;

async function shrink(file) {
  const kept = { file, picture: null };
  if (!/^image\/(jpeg|png|webp)$/.test(file.type) || !window.createImageBitmap) {
    return kept;
  }
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    const draw = (edge) => {
      const scale = Math.min(1, edge / Math.max(bitmap.width, bitmap.height));
      const canvas = make("canvas");
      canvas.width = Math.max(1, Math.round(bitmap.width * scale));
      canvas.height = Math.max(1, Math.round(bitmap.height * scale));
      const pen = canvas.getContext("2d");
      pen.fillStyle = "#fff";
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
      return canvas;
    };
    kept.picture = draw(144);
    if (Math.max(bitmap.width, bitmap.height) > EDGE || file.size > 1 << 20) {
      const large = draw(EDGE);
      const blob = await new Promise((ok) => large.toBlob(ok, "image/jpeg", 0.85));
      if (blob && blob.size < file.size) {
        kept.file = new File([blob], file.name.replace(/\.\w+$/, "") + ".jpg",
          { type: "image/jpeg" });
      }
    }
    bitmap.close();
  } catch {
    /* not a picture after all: the server says so */
  }
  return kept;
}

function files(box) {
  const input = box.querySelector("input[type=file]");
  const list = box.querySelector("[data-list]");
  const news = box.querySelector("[data-news]");
  const accept = box.dataset.accept ? box.dataset.accept.split(",") : [];
  const received = [...box.querySelectorAll("[name=kept_file]")];
  const chosen = [];
  let work = Promise.resolve();

  /* what is chosen is always what the field holds */
  const keep = () => {
    const transfer = new DataTransfer();
    for (const { file } of chosen) transfer.items.add(file);
    input.files = transfer.files;
  };

  const refuse = (file) => {
    if (!file.size) return "خالی است؛ فایل دیگری انتخاب کنید";
    if (file.type && accept.length && !accept.includes(file.type)) {
      return `از نوعی است که پذیرفته نمی‌شود؛ فایلی از این نوع‌ها انتخاب کنید: ${box.dataset.types}`;
    }
    return "";
  };

  const show = (item) => {
    const row = make("li");
    const name = make("bdi", "", item.file.name);
    const grow = make("span", "grow");
    const drop = make("button", "btn3", "برداشتن");
    name.dir = "auto";
    grow.append(name);
    drop.type = "button";
    drop.setAttribute("aria-label", `برداشتن ${item.file.name}`);
    drop.addEventListener("click", () => {
      chosen.splice(chosen.indexOf(item), 1);
      keep();
      row.remove();
      list.hidden = !chosen.length;
      news.textContent = `${item.file.name} برداشته شد`;
      input.focus();
    });
    if (item.picture) {
      item.picture.setAttribute("aria-hidden", "true");
      row.append(item.picture);
    }
    row.append(grow, make("span", "soft",
      `${fa(Math.ceil(item.file.size / 1024))} کیلوبایت`), drop);
    list.append(row);
    list.hidden = false;
  };

  /* a field for one file: the last one chosen */
  const clear = () => {
    chosen.length = 0;
    list.replaceChildren();
    for (const old of received) old.checked = false;
  };

  const add = async (picked) => {
    const said = [];
    for (const file of picked) {
      const item = await shrink(file);
      let why = refuse(item.file);
      if (!why && box.dataset.maxMb && item.file.size > box.dataset.maxMb * 1048576) {
        why = `از ${fa(box.dataset.maxMb)} مگابایت بزرگ‌تر است`;
      }
      if (!why && input.multiple && box.dataset.max
          && chosen.length + received.filter((old) => old.checked).length
             >= box.dataset.max) {
        why = `جا ندارد؛ حداکثر ${fa(box.dataset.max)} فایل`;
      }
      if (why) {
        said.push(`«${file.name}» ${why}.`);
        continue;
      }
      if (!input.multiple) clear();
      chosen.push(item);
      show(item);
    }
    news.textContent = said.join(" ") || (input.multiple
      ? `${fa(chosen.length)} فایل آمادهٔ فرستادن است؛ می‌توانید فایل دیگری هم اضافه کنید.`
      : "فایل آمادهٔ فرستادن است.");
    news.className = said.length ? "field-error" : "soft";
  };

  input.addEventListener("change", () => {
    const picked = [...input.files];
    const all = work = work.then(() => add(picked)).then(keep);
    pending.set(input.form, all);
    all.then(() => pending.get(input.form) === all && pending.delete(input.form));
  });
}


/* What a page says that is not the form: an error page, or a form refused. */

function words(main) {
  const said = [...main.querySelectorAll(
    ".lead, #error-summary li, .flash.note p, [data-reference]")];
  return said.map((e) => e.textContent.trim()).join(" ") || main.textContent.trim();
}


/*
 * Sends the form with its files and shows how far it is.  The answer is the
 * page where the form leads to, the form again (it was refused, or not sent
 * yet), or a page without it: then it stays as it is, under what was said.
 */

function upload(form) {
  const box = form.querySelector("[data-progress]");
  if (!box) return;
  const bar = box.querySelector("progress");
  const said = box.querySelector("[data-said]");
  const cancel = box.querySelector("[data-cancel]");
  const going = [box.querySelector("label"), bar, cancel];

  form.addEventListener("submit", async (e) => {
    const button = e.submitter;
    const chosen = form.querySelector("input[type=file]");
    if (e.defaultPrevented) return;
    if (button?.hasAttribute("formaction")) {
      /* the browser sends it, with all that was chosen */
      if (!pending.has(form)) return;
      e.preventDefault();
      await pending.get(form);
      form.removeAttribute("aria-busy");
      form.requestSubmit(button);
      return;
    }
    if (!chosen?.files.length) return;
    e.preventDefault();
    sending.add(form);
    await pending.get(form);

    const data = new FormData(form);
    if (button?.name) data.append(button.name, button.value);

    const address = form.action;
    const xhr = new XMLHttpRequest();
    let quarter = -1;
    const fail = (text) => {
      sending.delete(form);
      form.removeAttribute("aria-busy");
      box.hidden = false;
      for (const part of going) part.hidden = true;
      said.textContent = text;
      said.className = "field-error";
    };

    for (const part of going) part.hidden = false;
    bar.value = 0;
    said.textContent = "";
    said.className = "";
    box.hidden = false;
    cancel.onclick = () => xhr.abort();

    xhr.upload.onprogress = (p) => {
      if (!p.lengthComputable) return;
      bar.value = (p.loaded / p.total) * 100;
      const q = Math.floor((p.loaded / p.total) * 4);
      if (q !== quarter) {
        quarter = q;
        said.textContent = q > 3 ? "فایل‌ها رسید؛ در حال بررسی" : `${fa(q * 25)}٪ فرستاده شد`;
      }
    };
    xhr.onerror = () => fail("ارتباط قطع شد. نوشته‌ها و فایل‌ها سر جایشان هستند؛ دوباره بفرستید.");
    xhr.onabort = () => fail("فرستادن متوقف شد. هر وقت خواستید دوباره بفرستید.");
    xhr.onload = () => {
      if (xhr.responseURL !== address && xhr.status < 400) {
        location.assign(xhr.responseURL);
        return;
      }
      const page = new DOMParser().parseFromString(xhr.responseText, "text/html");
      const main = page.querySelector("main");
      if (!main) {
        fail("سامانه پاسخ درستی نداد. نوشته‌ها و فایل‌ها سر جایشان هستند؛ کمی بعد دوباره بفرستید.");
        return;
      }
      if (xhr.responseURL !== address || !main.querySelector("form[data-upload]")) {
        fail(words(main));
        return;
      }
      doc.title = page.title;
      doc.querySelector("main").replaceWith(doc.adoptNode(main));
      main.focus();
      start(main);
      main.dispatchEvent(new Event("replaced", { bubbles: true }));
    };
    xhr.open("POST", address);
    xhr.setRequestHeader("Accept", "text/html");
    xhr.send(data);
  });
}


/*
 * The clerk's list as it was shown last in this tab: a letter leads back to
 * its tab, filters and page, and on to the letter below it.
 */

const LIST = "inbox";

function inbox(table) {
  const url = new URL(location.href);
  url.searchParams.delete("flash");
  const letters = [...table.querySelectorAll("td.main a")].map((a) => a.pathname);
  try {
    sessionStorage.setItem(LIST, JSON.stringify({ list: url.pathname + url.search, letters }));
  } catch { /* then back is the first tab */ }
}

function wayBack(link) {
  let kept;
  try {
    kept = JSON.parse(sessionStorage.getItem(LIST));
  } catch { /* as without a script */ }
  if (kept?.list.split("?")[0] !== link.pathname) return;
  link.href = kept.list;
  const here = kept.letters.findIndex((at) => `${location.pathname}/`.startsWith(`${at}/`));
  const next = here < 0 ? undefined : kept.letters[here + 1];
  const onward = doc.querySelector("[data-inbox-next]");
  if (!next || !onward) return;
  onward.href = next;
  onward.hidden = false;
}


/*
 * A letter that stayed open: has anything arrived since?  Asked when the
 * clerk comes back to the page, not by the clock: that would keep the
 * session alive.
 */

function changed(notice) {
  let last = Date.now();
  const ask = async () => {
    if (doc.hidden || !notice.hidden || !notice.isConnected
        || Date.now() - last < 15000) return;
    last = Date.now();
    try {
      const answer = await fetch(notice.dataset.changed,
                                 { headers: { Accept: "application/json" } });
      if (answer.ok && (await answer.json()).changed) notice.hidden = false;
    } catch { /* the next time */ }
  };
  addEventListener("focus", ask);
  doc.addEventListener("visibilitychange", ask);
}


/*
 * What is being written is kept with the letter some seconds after the last
 * key, and when the page goes out of sight: a session that ends then, or a
 * browser that does, costs nothing.  The button keeps it without leaving the
 * page, which would lose the files that are chosen.
 */

function draft(form) {
  const text = form.elements.body;
  const news = form.querySelector("[data-draft-news]");
  let kept = text.value, timer = 0;
  const keep = async () => {
    clearTimeout(timer);
    if (text.value === kept) return;
    const body = new URLSearchParams({ csrf: form.elements.csrf.value,
                                       body: text.value });
    const value = text.value;
    let ok = false;
    try {
      // kept is answered by a redirect, an ended session is not
      const answer = await fetch(form.dataset.draft, { method: "POST", body,
        redirect: "manual", keepalive: true,
        headers: { Accept: "application/json" } });
      ok = answer.type === "opaqueredirect";
    } catch { /* the next time */ }
    if (ok) kept = value;
    news.textContent = ok ? news.dataset.saved : news.dataset.failed;
  };
  text.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(keep, 3000);
  });
  form.addEventListener("submit", () => {
    clearTimeout(timer);
    kept = text.value;
  });
  form.querySelector("[formaction]").addEventListener("click", (e) => {
    e.preventDefault();
    kept = null;
    keep();
  });
  doc.addEventListener("visibilitychange", () => doc.hidden && keep());
}


/*
 * Whoever writes is there: the session does not end under a long text.  Once
 * a minute is enough, and only while something is typed.
 */

function stay() {
  const address = doc.querySelector("[data-stay]")?.dataset.stay;
  let last = Date.now();
  if (!address) return;
  doc.addEventListener("input", () => {
    if (Date.now() - last < 60000) return;
    last = Date.now();
    fetch(address, { method: "HEAD", redirect: "manual" }).catch(() => {});
  });
}


function start(root) {
  const each = (selector, fn) => root.querySelectorAll(selector).forEach(fn);
  each("form[method=post]", guard);
  each("[data-reveal]", reveal);
  each("[data-countdown]", countdown);
  each("[data-otp]", otp);
  each("[data-captcha]", captcha);
  each("[data-files]", files);
  each("[data-upload]", upload);
  each("[data-inbox]", inbox);
  each("[data-inbox-back]", wayBack);
  each("[data-changed]", changed);
  each("[data-draft]", draft);
  each("[data-print]", (b) => b.addEventListener("click", () => print()));
  errors(root);
}

stay();
start(doc);
