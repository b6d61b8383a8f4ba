#!/usr/bin/env node
'use strict';

/*
 * Forms as others write and read them: URLSearchParams, the multipart writer
 * and reader of Node's fetch, and curl -F over a real connection.  Every
 * body is also cut at every offset (dump does that).
 */

const fs = require('fs');
const http = require('http');
const os = require('os');
const path = require('path');
const { spawn } = require('child_process');
const { ok, all, run, ask, hex, unhex, random, pick, done } =
    require('./oracle.js');

const rnd = random(1405);
const times = (n, f) => Array.from({ length: n }, f);
const alphabet = ['a', 'B', '7', ' ', '+', '&', '=', '%', '%41', ';', '/', '?',
                  '#', '\n', '\r\n', '"', "'", '\\', '~', '*', '-', '.', '_',
                  '\u0633', '\u06f4', '\u200c', '\u{1f600}', '\u00e9'];
const word = (max, list = alphabet) =>
    times(rnd(max), () => pick(rnd, list)).join('');

/* --- urlencoded ------------------------------------------------------- */

function fields({ rc, words }) {
    if (rc !== 0) return rc;
    return JSON.stringify(words.map((w) => String(unhex(w))));
}

const written = times(3000, () =>
    new URLSearchParams(times(rnd(6), () => [word(4), word(8)])).toString());

const noNames = (pairs) => JSON.stringify([...pairs].filter(([n]) => n).flat());

all('urlencoded as URLSearchParams writes it',
    ask(['query'], written).map((got, i) =>
        [fields(got), noNames(new URLSearchParams(written[i])), written[i]]));

/* by hand: what URLSearchParams takes leniently is refused, the rest equal */

const raw = times(6000, () => word(12, ['a', 'b', '=', '=', '&', '&', '+', '%',
                                       '%4', '%41', '%d8%a7', '%D8', '%00',
                                       '%zz', '%25', 'c', '\u0633']));

function strict(s) {
    if (/%(?![0-9a-fA-F]{2})/.test(s)) return -3;

    for (const piece of s.split(/[&=]/)) {
        const b = Buffer.from(piece.replace(/%([0-9a-f]{2})/gi, (m, h) =>
            String.fromCharCode(parseInt(h, 16)))
            .replace(/[^\0-\xff]/g, (c) => Buffer.from(c).toString('latin1')),
            'latin1');

        try {
            new TextDecoder('utf-8', { fatal: true }).decode(b);
        } catch {
            return -3;
        }

        if (b.includes(0)) return -3;
    }

    return noNames(new URLSearchParams(s));
}

all('urlencoded by hand', ask(['query'], raw).map((got, i) =>
    [fields(got), strict(raw[i]), raw[i]]));

/* --- multipart -------------------------------------------------------- */

/* Asks dump; { rc, parts: [{ name, filename, type, data }], same } */

function multipart(type, body) {
    const lines = run(['multipart'], `${hex(type)} ${hex(body)}\n`).split('\n');
    const text = (w) => w === '-' ? null : String(unhex(w));
    const parts = [];
    let end = false;

    if (lines[0] === 'boundary') return { rc: 'boundary' };

    for (const line of lines.slice(1)) {
        const [what, a, b, c] = line.split(' ');

        if (what === 'part') {
            parts.push({ name: text(a), filename: text(b), type: text(c),
                         data: Buffer.alloc(0), whole: false });
        } else if (what === 'data') {
            parts.at(-1).data = unhex('x' + a.replace(/^x/, ''));
        } else if (what === 'part-end') {
            parts.at(-1).whole = true;
        } else if (what === 'end') {
            end = true;
        }
    }

    return { rc: Number(lines[0]), parts, end, same: lines.includes('same') };
}

const summary = (parts) => JSON.stringify(parts.map((p) =>
    [p.name, p.filename, p.filename === null ? null : p.type,
     Buffer.from(p.data).toString('hex')]));

function check(name, got, expected) {
    const fine = got.rc === 0 && got.end && got.same
                 && got.parts.every((p) => p.whole)
                 && summary(got.parts) === summary(expected);

    if (!ok(fine, name)) {
        console.log(`#   rc ${got.rc}, end ${got.end}, same ${got.same}`);
        console.log(`#   got:      ${summary(got.parts || [])}`.slice(0, 900));
        console.log(`#   expected: ${summary(expected)}`.slice(0, 900));
    }
}

/* Data that looks like what it is not, for a given boundary. */

function evil(boundary) {
    const some = ['\r', '\n', '\r\n', '--', '-', ' ', '\r\n--', '\r\r\n--',
                  `\r\n--${boundary.slice(0, -1)}`, boundary, '\0', 'x',
                  `\r\n--${boundary}x`, `\r\n--${boundary} x`,
                  `\r\n--${boundary}-x`, `\r\n--${boundary}\r\r\n`,
                  `\r\n--${boundary}\n`];
    const quoted = boundary.replace(/[.]/g, '\\.');
    const real = new RegExp(`\r\n--${quoted}(--|[ \t]{0,16}\r\n)`);
    let data;

    do {
        data = times(rnd(12), () => pick(rnd, some)).join('');
    } while (real.test(`${data}\r\n`));

    return Buffer.from(data);
}

/* a body by hand; blanks behind a delimiter are legal, but not for all */

function build(boundary, parts, blanks = ['', '', ' ', '\t ']) {
    const out = [];

    for (const p of parts) {
        out.push(`--${boundary}${pick(rnd, blanks)}\r\n`,
                 `Content-Disposition: form-data; name="${p.name}"`,
                 p.filename === null ? '' : `; filename="${p.filename}"`,
                 p.type ? `\r\nContent-Type: ${p.type}` : '',
                 '\r\n\r\n', p.data, '\r\n');
    }

    out.push(`--${boundary}--`, pick(rnd, ['', '\r\n']));

    return Buffer.concat(out.map((x) => Buffer.isBuffer(x) ? x
                                                           : Buffer.from(x)));
}

let bad = 0;
const rounds = 150;

for (let i = 0; i < rounds; i++) {
    const boundary = word(20, ['a', '7', '-', '_', "'", '.']) + 'z';
    const parts = times(rnd(4), (_, n) => ({
        name: `n${n}`, filename: rnd(2) ? `f${n}.png` : null,
        type: 'image/png', data: evil(boundary)
    }));
    const got = multipart(`multipart/form-data; boundary="${boundary}"`,
                          build(boundary, parts));

    if (got.rc !== 0 || !got.end || !got.same
        || summary(got.parts) !== summary(parts)) {
        bad++;
        console.log(`#   ${JSON.stringify(boundary)} rc ${got.rc}`);
    }
}

ok(bad === 0, `data that looks like delimiters: ${rounds} bodies, every cut`);

async function fetchBodies() {
    for (let i = 0; i < 30; i++) {
        const form = new FormData();
        const expected = [];

        for (let n = rnd(5); n >= 0; n--) {
            const name = 'field' + n;

            if (rnd(2)) {
                const value = word(30);

                form.append(name, value);
                expected.push({ name, filename: null, type: null,
                                data: Buffer.from(value.replace(
                                    /\r\n|\r|\n/g, '\r\n')) });
            } else {
                const data = Buffer.from(times(rnd(900), () => rnd(256)));
                const filename = word(8).replace(/[\r\n\\%]/g, '') + '.jpg';

                form.append(name, new File([data], filename,
                                           { type: 'image/jpeg' }));
                expected.push({ name, filename, type: 'image/jpeg', data });
            }
        }

        const response = new Response(form);
        const body = Buffer.from(await response.arrayBuffer());
        const type = response.headers.get('content-type');

        check(`FormData of fetch, ${body.length} bytes`,
              multipart(type, body), expected);
    }
}

/* A body of ours as Node's fetch reads it. */

async function readByFetch() {
    const parts = [
        { name: 'subject', filename: null, type: null,
          data: Buffer.from('\u0646\u0627\u0645\u0647 \r\n--B') },
        { name: 'file', filename: '\u0646\u0627\u0645\u0647.jpg',
          type: 'image/jpeg', data: Buffer.from(times(300, () => rnd(256))) }
    ];
    const body = build('B0und', parts, ['']);
    const type = 'multipart/form-data; boundary=B0und';
    const form = await new Response(body,
                                    { headers: { 'content-type': type } })
                       .formData();
    const theirs = [];

    for (const [name, v] of form) {
        const file = typeof v !== 'string';
        theirs.push({ name, filename: file ? v.name : null,
                      type: file ? v.type : null,
                      data: file ? Buffer.from(await v.arrayBuffer())
                                 : Buffer.from(v) });
    }

    check('our body, as fetch reads it',
          multipart(type, body), theirs);
}

/* --- curl ------------------------------------------------------------- */

function receive(args) {
    return new Promise((resolve, reject) => {
        const server = http.createServer((request, response) => {
            const pieces = [];

            request.on('data', (d) => pieces.push(d));
            request.on('end', () => {
                response.end();
                server.close();
                server.closeAllConnections();
                resolve({ type: request.headers['content-type'],
                          body: Buffer.concat(pieces) });
            });
        });

        server.listen(0, '127.0.0.1', () => {
            const url = `http://127.0.0.1:${server.address().port}/`;
            spawn('curl', ['-sS', '--noproxy', '*', ...args, url],
                  { stdio: ['ignore', 'ignore', 'inherit'] })
                .on('error', reject)
                .on('exit', (code) => code && reject(new Error(`curl ${code}`)));
        });
    });
}

async function byCurl() {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'corr-forms-'));
    const file = (name, data) => {
        fs.writeFileSync(path.join(dir, name), data);
        return path.join(dir, name);
    };
    const photo = Buffer.from(times(3000, () => rnd(256)));
    const lines = Buffer.from('\r\n'.repeat(700) + '\n\r-\r\n--\r\n');
    const big = Buffer.from(times(70000, () => rnd(4) ? 13 : 10));
    const persian = '\u0639\u06a9\u0633 \u0646\u0627\u0645\u0647.jpg';

    const one = file('photo.jpg', photo);
    const two = file('lines.pdf', lines);
    const three = file('empty.png', '');
    const four = file(persian, photo);
    const five = file('big.pdf', big);

    const text = (name, data) => ({ name, filename: null, type: null,
                                    data: Buffer.from(data) });
    const upload = (name, filename, type, data) =>
        ({ name, filename, type, data: Buffer.from(data) });

    const cases = [
        ['fields', ['-F', 'subject=\u0633\u0644\u0627\u0645 + %41', '-F',
                    'body=', '-F', 'unit=1', '-F', 'unit=2'],
         [text('subject', '\u0633\u0644\u0627\u0645 + %41'), text('body', ''),
          text('unit', '1'), text('unit', '2')]],
        ['files', ['-F', 'a=1', '-F', `file=@${one}`, '-F',
                   `file=@${two};type=application/pdf`, '-F',
                   `file=@${three};type=image/png`],
         [text('a', '1'), upload('file', 'photo.jpg', 'image/jpeg', photo),
          upload('file', 'lines.pdf', 'application/pdf', lines),
          upload('file', 'empty.png', 'image/png', '')]],
        ['a Persian name', ['-F', `file=@${four}`],
         [upload('file', persian, 'image/jpeg', photo)]],
        ['a name with quotes', ['-F',
         `file=@${one};filename="a \\"b\\"; name=x.jpg"`],
         [upload('file', 'a "b"; name=x.jpg', 'image/jpeg', photo)]],
        ['backslashed quotes', ['--form-escape', '-F',
         `file=@${one};filename="a \\"b\\" \\\\c.jpg"`],
         [upload('file', 'a "b" \\c.jpg', 'image/jpeg', photo)]],
        ['CR and LF, 70 kB of them', ['-F',
         `file=@${five};type=application/pdf`],
         [upload('file', 'big.pdf', 'application/pdf', big)]]
    ];

    for (const [name, args, expected] of cases) {
        const { type, body } = await receive(args);

        check(`curl: ${name}, ${body.length} bytes`, multipart(type, body),
              expected);
    }

    const encoded = await receive(['-F', `a=@${one};encoder=base64`]);

    ok(multipart(encoded.type, encoded.body).rc === -3,
       'curl: base64 is refused');

    fs.rmSync(dir, { recursive: true });
}

fetchBodies().then(readByFetch).then(byCurl).then(done, (e) => {
    console.log(`Bail out! ${e.stack}`);
    process.exit(1);
});
