// What the browser tests share: Chromium with or without scripts, pictures
// of pages below build/screens, axe, and TAP on stdout.
//
// The portal's addresses come in the environment (t/lib/Portal/Chromium.pm).

import { chromium } from 'playwright-core';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { deflateSync } from 'node:zlib';

const require = createRequire(import.meta.url);

export const base = process.env.PORTAL;
export const sandbox = process.env.SANDBOX;
export const staff = JSON.parse(process.env.STAFF ?? '[]');
export const screens = process.env.SCREENS;

export const phone = { width: 390, height: 844 };
export const desktop = { width: 1280, height: 900 };

mkdirSync(screens, { recursive: true });

let tests = 0;
let browser;


export function ok(truth, name) {
    tests++;
    console.log(`${truth ? 'ok' : 'not ok'} ${tests} - ${name}`);
    return truth;
}

export function is(got, expected, name) {
    if (!ok(got === expected, name)) {
        console.log(`#      got: ${JSON.stringify(got)}`);
        console.log(`# expected: ${JSON.stringify(expected)}`);
    }
}

export function like(got, expected, name) {
    if (!ok(expected.test(got), name)) {
        console.log(`#      got: ${JSON.stringify(String(got).slice(0, 400))}`);
        console.log(`# expected: ${expected}`);
    }
}


// A context of its own: cookies, size, scripts.  Whatever breaks the content
// security policy, or fails in a script, is a failed test.

export async function open({ viewport = desktop, scripts = true } = {}) {
    browser ??= await chromium.launch({
        executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic',
               '--no-first-run', '--disable-background-networking',
               '--disable-component-update', '--disable-sync'],
    });

    const context = await browser.newContext({
        viewport, javaScriptEnabled: scripts, locale: 'fa-IR',
        timezoneId: 'Asia/Tehran', ignoreHTTPSErrors: true,
    });
    const page = await context.newPage();

    page.setDefaultTimeout(20000);
    page.complaints = [];
    page.on('console', (m) => {
        // a refused form is 422, which Chromium calls an error
        if (m.type() === 'error' && !/status of (4\d\d|503)/.test(m.text())) {
            page.complaints.push(m.text());
        }
    });
    page.on('pageerror', (e) => page.complaints.push(String(e)));

    return page;
}

export async function close(page, name) {
    is(page.complaints.join('\n'), '', `${name}: nothing on the console`);
    await page.context().close();
}

export async function picture(page, name) {
    await page.screenshot({ path: `${screens}/${name}.png`, fullPage: true });

    const wide = await page.evaluate(() =>
        document.documentElement.scrollWidth
            > document.documentElement.clientWidth + 1).catch(() => false);
    ok(!wide, `${name}: nothing is wider than the screen`);
}

export async function axe(page, name) {
    const source = readFileSync(require.resolve('axe-core/axe.min.js'),
                                'utf8');
    const cdp = await page.context().newCDPSession(page);

    // through the debugger: our policy refuses an added script
    await cdp.send('Runtime.evaluate', { expression: source });

    const { result } = await cdp.send('Runtime.evaluate', {
        awaitPromise: true, returnByValue: true,
        expression: `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a',
            'wcag21aa', 'wcag22aa', 'best-practice'],
            rules: { 'target-size': { enabled: true } } }).then((r) =>
            r.violations.map((v) => v.id + ': '
                + v.nodes.map((n) => n.target.join(' ')).join(', '))
            .join('\\n'))`,
    });

    is(result.value, '', `${name}: axe finds nothing`);
    await cdp.detach();
}

export async function submit(page, selector = 'main form button.btn') {
    await Promise.all([
        page.waitForNavigation({ waitUntil: 'load' }),
        page.locator(selector).first().click(),
    ]);
}

export async function title(page) {
    return (await page.locator('h1').first().innerText()).trim();
}

export async function messages(mobile) {
    const answer = await fetch(`${sandbox}/messages?mobile=${mobile}`);
    return answer.json();
}

// Waits for an SMS that matches; gives its text.
export async function sms(mobile, pattern, seconds = 20) {
    for (let i = 0; i < seconds * 5; i++) {
        for (const m of await messages(mobile)) {
            if (pattern.test(m.text)) {
                return m.text;
            }
        }

        await new Promise((r) => setTimeout(r, 200));
    }

    throw new Error(`no SMS like ${pattern} for ${mobile}`);
}

export async function code(mobile) {
    return (await sms(mobile, /#\d{6}$/)).match(/#(\d{6})$/)[1];
}

// Does something that sends a code, and gives that code, not an older one.

export async function codeFrom(mobile, act) {
    const codes = async () => (await messages(mobile))
        .filter((m) => /#\d{6}$/.test(m.text));
    const before = (await codes()).length;

    await act();

    for (let i = 0; i < 100; i++) {
        const now = await codes();

        if (now.length > before) {
            return now[0].text.match(/#(\d{6})$/)[1];
        }

        await new Promise((r) => setTimeout(r, 200));
    }

    throw new Error(`no code for ${mobile}`);
}

export function nationalCode() {
    const d = Array.from({ length: 9 }, () => Math.floor(Math.random() * 10));
    const r = d.reduce((s, x, i) => s + x * (10 - i), 0) % 11;
    return d.join('') + (r < 2 ? r : 11 - r);
}

export function mobile() {
    return '0912' + String(Math.floor(Math.random() * 1e7)).padStart(7, '0');
}

export function legalId() {
    const w = [29, 27, 23, 19, 17, 29, 27, 23, 19, 17];
    const d = [1, 0, ...Array.from({ length: 8 },
                                   () => Math.floor(Math.random() * 10))];
    const r = d.reduce((s, x, i) => s + w[i] * (x + d[9] + 2), 0) % 11;
    return d.join('') + (r === 10 ? 0 : r);
}

export async function totp(secret) {
    const { createHmac } = await import('node:crypto');
    const bits = [...secret].map((c) =>
        'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2)
            .padStart(5, '0')).join('');
    const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
    const step = Buffer.alloc(8);

    step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000)));
    const mac = createHmac('sha1', key).update(step).digest();
    const at = mac[19] & 15;

    return String((mac.readUInt32BE(at) & 0x7fffffff) % 1e6).padStart(6, '0');
}

// As people type numbers.

export function persian(s) {
    return s.replace(/\d/g, (d) => String.fromCharCode(0x6f0 + Number(d)));
}

// The digits follow from the id and the key file, as services/captcha.h says.

export async function captcha(page) {
    const id = await page.locator('input[name=captcha_id]').inputValue();

    return execFileSync(process.env.CAPTCHA_TOOL,
                        [process.env.CAPTCHA_KEY, '5', id])
        .toString().trim();
}

// A picture of noise: several megabytes that no compression makes small.
export function noise(width, height) {
    const raw = Buffer.alloc(height * (1 + width * 3));

    for (let i = 0; i < raw.length; i++) {
        raw[i] = i % (1 + width * 3) ? Math.random() * 256 : 0;
    }

    const chunk = (type, data) => {
        const body = Buffer.concat([Buffer.from(type), data]);
        const out = Buffer.alloc(8 + data.length + 4);

        out.writeUInt32BE(data.length);
        body.copy(out, 4);
        out.writeUInt32BE(crc(body), 8 + data.length);
        return out;
    };
    const head = Buffer.alloc(13);

    head.writeUInt32BE(width);
    head.writeUInt32BE(height, 4);
    head[8] = 8;
    head[9] = 2;

    return Buffer.concat([
        Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
        chunk('IHDR', head), chunk('IDAT', deflateSync(raw)),
        chunk('IEND', Buffer.alloc(0)),
    ]);
}

function crc(data) {
    let c = ~0;

    for (const b of data) {
        c ^= b;

        for (let k = 0; k < 8; k++) {
            c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
        }
    }

    return ~c >>> 0;
}

export async function run(story) {
    try {
        await story();
    } catch (e) {
        ok(false, `the story goes to its end`);
        console.log(String(e.stack ?? e).replace(/^/gm, '# '));
    }

    await browser?.close();
    console.log(`1..${tests}`);
}
