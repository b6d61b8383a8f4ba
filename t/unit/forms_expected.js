// Makes forms_expected.h: how ICU, through Node's Intl, writes the values
// that template_test.c renders.  node t/unit/forms_expected.js > …/….h

'use strict';

const zone = 'Asia/Tehran';
const date = new Intl.DateTimeFormat('fa-IR-u-ca-persian', {
    timeZone: zone, year: 'numeric', month: 'long', day: 'numeric' });
const numeric = new Intl.DateTimeFormat('fa-IR-u-ca-persian', {
    timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' });
const clock = new Intl.DateTimeFormat('fa-IR', {
    timeZone: zone, hour: '2-digit', minute: '2-digit', second: '2-digit',
    hourCycle: 'h23' });

const parts = (format, at) => Object.fromEntries(
    format.formatToParts(at).map((p) => [p.type, p.value]));
const c = (s) => JSON.stringify(s);

console.log(`/*
 * Made by forms_expected.js: Node's Intl, ICU ${process.versions.icu}.
 * Since 1401 Tehran is at +03:30 all year; earlier summers are left out.
 */

static const struct {
    int64_t      usec;
    const char  *date, *month, *shortly, *time, *seconds, *iso;
} expected_times[] = {`);

for (const iso of ['2026-11-22T13:05:07Z', '2025-03-20T20:29:59Z',
    '2025-03-20T20:30:00Z', '2024-03-19T23:59:59Z', '2025-03-19T21:00:00Z',
    '2030-06-15T00:00:00Z', '2029-03-19T20:30:00Z', '1999-12-31T20:30:01Z',
    '1970-01-01T00:00:00Z', '2026-12-21T20:29:59Z']) {
    const at = new Date(iso);
    const d = parts(date, at), n = parts(numeric, at), t = parts(clock, at);
    const local = new Date(at.getTime() + 12600000).toISOString();
    console.log(`    { INT64_C(${at.getTime() * 1000}),
      ${c(`${d.day} ${d.month} ${d.year}`)}, ${c(d.month)},
      ${c(`${n.year}/${n.month}/${n.day}`)},
      ${c(`${t.hour}:${t.minute}`)}, ${c(`${t.hour}:${t.minute}:${t.second}`)},
      ${c(local.slice(0, 19) + '+03:30')} },`);
}

console.log(`};

static const struct {
    int64_t      n;
    const char  *plain, *grouped;
} expected_integers[] = {`);

for (const n of [0n, 7n, 999n, 1000n, 12345n, 123456n, 1234567n, -5n, -1000n,
    9223372036854775807n, -9223372036854775808n]) {
    const text = n === -(2n ** 63n) ? '(-INT64_C(9223372036854775807) - 1)'
                                    : `INT64_C(${n})`;
    console.log(`    { ${text},
      ${c(new Intl.NumberFormat('fa', { useGrouping: false }).format(n))},
      ${c(new Intl.NumberFormat('fa').format(n))} },`);
}

console.log(`};

static const struct {
    double       d;
    const char  *plain, *grouped, *machine;
} expected_floats[] = {`);

for (const d of [0.5, -1.25, 1234.5, 98765.4321, 0.1]) {
    const o = { maximumFractionDigits: 15 };
    console.log(`    { ${d},
      ${c(new Intl.NumberFormat('fa', { useGrouping: false, ...o }).format(d))},
      ${c(new Intl.NumberFormat('fa', o).format(d))}, ${c(JSON.stringify(d))} },`);
}

console.log(`};

static const struct {
    int64_t      seconds;
    const char  *text;
} expected_ago[] = {`);

const ago = new Intl.RelativeTimeFormat('fa', { numeric: 'always' });

for (const [n, unit, seconds] of [[-1, 'minute', -60], [-59, 'minute', -3599],
    [-1, 'hour', -3600], [-23, 'hour', -86399], [-1, 'day', -86400],
    [-29, 'day', -2591999], [3, 'minute', 200], [5, 'hour', 18010],
    [12, 'day', 1036800]]) {
    console.log(`    { ${seconds}, ${c(ago.format(n, unit))} },`);
}

console.log('};');
