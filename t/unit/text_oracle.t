#!/usr/bin/env node
'use strict';

/*
 * Bytes, escapes, text and SMS parts against what JavaScript and Node have
 * for them, or against a second version written with regular expressions.
 */

const { ok, all, run, ask, hex, unhex, random, pick, done } =
    require('./oracle.js');

const rnd = random(1404);

/* Random bytes and random texts, rich in what the library looks at. */

const interesting = [
    ' ', '  ', '\t', '\n', '\r', '\r\n', '\n\n\n', '\u00a0', '\u2003',
    '\u3000', '\u202f', '\u2028', '\u2029', '\u200c', '\u200c\u200c', '\u200d',
    '\u200e', '\u200f', '\u061c', '\u202b', '\u2067', '\u200b', '\ufeff',
    '\u00ad', '\u0640', '\u064a', '\u0649', '\u0643', '\u0626', '\u0622',
    '\u0627', '\u0653', '\u0654', '\u0655', '\u0648', '\u06cc', '\u0624',
    '\u0629', '\u06c0', '\u0621', '\u064b', '\u0651', '\u0670', '\u06a9',
    '\u06f4', '\u0664', '7', 'A', 'z', '<', '>', '&', '"', "'", '\\', '%',
    '+', '=', ',', ';', '-', '@', '.', '/', '\u{1f600}', '\u{10fffd}', '\u4e2d'
];

const odd = ['\0', '\x01', '\x1b', '\x7f', '\u0085', '\ufffe', '\ufdd0', '\u{1fffe}',
             '\u{10ffff}'];

function text(max, more = []) {
    const list = interesting.concat(more);
    let s = '';

    for (let n = rnd(max); n > 0; n--) s += pick(rnd, list);
    return s;
}

const bytes = (max) => Buffer.from(Array.from({ length: rnd(max) },
                                              () => rnd(256)));
const times = (n, f) => Array.from({ length: n }, f);

/* UTF-8 */

function mangled() {
    const b = Buffer.from(text(6));
    if (b.length) b[rnd(b.length)] = pick(rnd, [0x80, 0xbf, 0xc0, 0xe0, 0xed,
                                               0xf0, 0xf4, 0xf5, 0xff, 0x41]);
    return b;
}

function utf8(b) {
    try {
        new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(b);
        return 0;
    } catch {
        return -3;
    }
}

const samples = times(20000, mangled).concat(
    times(3000, () => bytes(5)),
    ['eda080', 'edbfbf', 'ee8080', 'c080', 'c1bf', 'e09fbf', 'e0a080',
     'f08fbfbf', 'f0908080', 'f48fbfbf', 'f4908080', 'fefe', 'e28080', 'e280']
    .map((s) => Buffer.from(s, 'hex')));

all('utf-8', ask(['text', 'valid'], samples).map(({ rc }, i) =>
    [rc, utf8(samples[i]), samples[i].toString('hex')]));

/* hex, base64url */

const blobs = times(2000, () => bytes(70));

for (const kind of ['hex', 'base64url']) {
    const there = ask(['encode', kind], blobs);

    all(`${kind} encode`, there.map(({ words }, i) =>
        [String(unhex(words[0])), blobs[i].toString(kind), hex(blobs[i])]));

    all(`${kind} decode`, ask(['decode', kind],
                              blobs.map((b) => b.toString(kind)))
        .map(({ rc, words }, i) => [`${rc} ${words[0]}`, `0 ${hex(blobs[i])}`,
                                    hex(blobs[i])]));
}

/* escapes */

const texts = times(8000, () => text(12, ['\0', '\x01', '\x1b', '\x7f']));

const escaped = (kind) => ask(['escape', kind], texts)
                          .map(({ words }) => String(unhex(words[0])));

all('url', escaped('url').map((got, i) =>
    [got, encodeURIComponent(texts[i])
          .replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16)
                                            .toUpperCase()), texts[i]]));

all('json read back', escaped('json').map((got, i) =>
    [JSON.parse(`"${got}"`), texts[i], got]));

all('json in a script', escaped('json').map((got) =>
    [/[<>&\u2028\u2029\x00-\x1f]/.test(got), false, got]));

/* what a browser reads out of the attribute is checked in the browser tests;
   here: nothing that could end it is left, and it can be turned back */

const entities = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"',
                   '&#39;': "'" };

all('html', escaped('html').map((got, i) =>
    [/[<>"']/.test(got) ? 'raw' : got.replace(/&[^;]*;/g, (e) => entities[e]),
     texts[i], got]));

/* RFC 4180 read back by a small reader */

function csv(line) {
    if (line[0] !== '"') return line;
    return line.slice(1, -1).replace(/""/g, '"');
}

all('csv', escaped('csv').map((got, i) => {
    const s = texts[i];
    const formula = /^[=+\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]/.test(s);
    const cells = s.replace(
        /([;\t\n\r\u061b])(?=["=+\-@\uff1d\uff0b\uff0d\uff20])/g, "$1'");
    return [csv(got), (formula ? "'" : '') + cells, got];
}));

all('csv in one field', escaped('csv').map((got) =>
    [/^(?:[^",\r\n]*|"(?:[^"]|"")*")$/.test(got), true, got]));

all('log', escaped('log').map((got) =>
    [/[\x00-\x1f\x7f-\x9f]/.test(got), false, got]));

/* stored text, by regular expressions */

const pass = (s, ...rules) =>
    rules.reduce((t, [from, to]) => t.replace(from, to), s);

const refused = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\p{Noncharacter_Code_Point}/u;

function base(s) {
    return pass(s,
        [/[\u0640\u00ad\u200b\ufeff\u202a-\u202e\u2066-\u2069]/g, ''],
        [/[\u064a\u0649]/g, '\u06cc'], [/\u0643/g, '\u06a9']);
}

function composed(s) {
    return pass(s,
        [/\u0627\u0653/g, '\u0622'], [/\u0627\u0654/g, '\u0623'],
        [/\u0627\u0655/g, '\u0625'], [/\u0648\u0654/g, '\u0624'],
        [/\u06cc\u0654/g, '\u0626']);
}

const blank = '[ \\t\\u00a0\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000]';

function spaced(s) {
    return pass(s, [new RegExp(blank, 'g'), ' '],
        [/[ \u200c]*\n[ \u200c]*/g, '\n'], [/[ \u200c]* [ \u200c]*/g, ' '],
        [/\u200c+/g, '\u200c'], [/^[ \u200c\n]+|[ \u200c\n]+$/g, '']);
}

function line(s) {
    return spaced(pass(base(s), [/[\u200e\u200f\u061c]/g, ''],
                       [/[\r\n\u2028\u2029]/g, ' ']));
}

const clean = (s) => composed(line(s));

const lines = (s) =>
    composed(pass(spaced(pass(base(s), [/\r\n?|[\u2028\u2029]/g, '\n'])),
                  [/\n{3,}/g, '\n\n']));

function search(s) {
    return spaced(pass(line(s), [/\u200c/g, ' '],
        [/[\u064b-\u065f\u0670\u0621\u200d]/g, ''],
        [/[\u0622\u0623\u0625\u0671]/g, '\u0627'], [/\u0624/g, '\u0648'],
        [/\u0626/g, '\u06cc'], [/[\u0629\u06c0\u06c2]/g, '\u0647'],
        [/[\u0660-\u0669]/g, (c) => c.charCodeAt(0) - 0x660],
        [/[\u06f0-\u06f9]/g, (c) => c.charCodeAt(0) - 0x6f0],
        [/[A-Z]/g, (c) => c.toLowerCase()]));
}

const typed = times(30000, () => text(14)).concat(
              times(2000, () => text(8, odd)));

for (const [kind, expected] of Object.entries({ clean, lines, search })) {
    const got = ask(['text', kind], typed);

    all(kind, got.map(({ rc, words }, i) =>
        [rc === 0 ? String(unhex(words[0])) : rc,
         refused.test(typed[i]) ? -3 : expected(typed[i]), typed[i]]));

    const kept = got.filter(({ rc }) => rc === 0).map(({ words }) =>
        unhex(words[0]));

    all(`${kind} again changes nothing`, ask(['text', kind], kept)
        .map(({ words }, i) => [words[0], hex(kept[i]), String(kept[i])]));
}

/* digits of codes */

const codes = times(5000, () => text(10, ['\u06f0', '\u0669', '0', '9', 'x']))
              .map((s) => s.replace(/[^\S ]|\u00ad/g, ''));

all('digits', ask(['text', 'digits'], codes).map(({ words }, i) =>
    [String(unhex(words[0])), pass(codes[i],
        [/[\u0660-\u0669]/g, (c) => c.charCodeAt(0) - 0x660],
        [/[\u06f0-\u06f9]/g, (c) => c.charCodeAt(0) - 0x6f0],
        [/[\s\u0640\u061c\u200b-\u200f\u2028-\u202f\u2066-\u2069\ufeff]/g, ''],
        [/[-\u2010-\u2015\u2212]/g, '']), codes[i]]));

/* SMS: the alphabet as a string, parts filled greedily */

const gsm = '@\u00a3$\u00a5\u00e8\u00e9\u00f9\u00ec\u00f2\u00c7\n\u00d8\u00f8\r'
    + '\u00c5\u00e5\u0394_\u03a6\u0393\u039b\u03a9\u03a0\u03a8\u03a3\u0398'
    + '\u039e\u00c6\u00e6\u00df\u00c9 !"#\u00a4%&\'()*+,-./0123456789:;<=>?'
    + '\u00a1ABCDEFGHIJKLMNOPQRSTUVWXYZ\u00c4\u00d6\u00d1\u00dc\u00a7\u00bf'
    + 'abcdefghijklmnopqrstuvwxyz\u00e4\u00f6\u00f1\u00fc\u00e0';
const extended = '\f^{}\\[~]|\u20ac';

ok(gsm.length === 127 && new Set(gsm).size === 127, 'the alphabet is whole');

function parts(s) {
    const ucs2 = [...s].some((c) => !gsm.includes(c) && !extended.includes(c));
    const size = (c) => ucs2 ? c.length : extended.includes(c) ? 2 : 1;
    const units = [...s].reduce((n, c) => n + size(c), 0);
    const [single, part] = ucs2 ? [70, 67] : [160, 153];
    const head = `0 ${ucs2 ? 1 : 0} ${units}`;

    if (units <= single) return `${head} ${units ? 1 : 0} ${single - units}`;

    let n = 1, used = 0;

    for (const c of s) {
        if (used + size(c) > part) { n++; used = 0; }
        used += size(c);
    }

    return `${head} ${n} ${part - used}`;
}

const persian = ['\u0633', '\u0644', ' ', '\u06f1', '1', '\n', '[', '\u{1f600}'];
const latin = [...gsm, ...extended, ...extended];
const messages = times(4000, () => {
    const list = rnd(2) ? latin : persian;
    return times(rnd(340), () => pick(rnd, list)).join('');
}).concat([...Array(0x3000).keys()].filter((c) => c > 0)
          .map((c) => String.fromCodePoint(c)),
          ['', 'a'.repeat(160), 'a'.repeat(161), '\u0633'.repeat(70),
           '\u0633'.repeat(71), 'a'.repeat(158) + '{', 'a'.repeat(159) + '{',
           'a'.repeat(152) + '{'.repeat(10), '\u0633'.repeat(66)
           + '\u{1f600}'.repeat(3)]);

all('sms', ask(['sms'], messages).map(({ rc, words }, i) =>
    [[rc, ...words].join(' '), parts(messages[i]), messages[i].slice(0, 60)]));

done();
