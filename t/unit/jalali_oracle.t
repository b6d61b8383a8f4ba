#!/usr/bin/env node
'use strict';

/* Every day of 1244..1501 against the Intl of Node (ICU's Persian calendar). */

const { ok, all, run, done } = require('./oracle.js');

const DAY = 86400000;
const tehran = { timeZone: 'UTC', year: 'numeric', month: 'numeric',
                 day: 'numeric', weekday: 'short' };
const persian = new Intl.DateTimeFormat('en-u-ca-persian-nu-latn', tehran);
const week = ['Sat', 'Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri'];

function expected(day) {
    const date = new Date(day * DAY);
    const part = {};

    for (const { type, value } of persian.formatToParts(date)) {
        part[type] = value;
    }

    return `${day} ${part.year}/${part.month}/${part.day} `
           + `${date.getUTCFullYear()}-${date.getUTCMonth() + 1}-`
           + `${date.getUTCDate()} ${week.indexOf(part.weekday)} 00:00:00`;
}

/* 1244/01/01 and 1501/12/29 or 30 by Intl itself */

const year = (day) => Number(expected(day).split(/[ /]/)[1]);
let first = Date.UTC(1865, 2, 15) / DAY;
let last = Date.UTC(2123, 2, 15) / DAY;

while (year(first) < 1244) first++;
while (year(last) < 1502) last++;
last--;

const lines = run(['jalali', first, last]).trim().split('\n');

ok(lines.length === last - first + 1 && lines.length > 94000, 'all days are there');
all('days', lines.map((line, i) => [line, expected(first + i),
                                    `day ${first + i}`]));

/* one day further on either side is refused */

all('range', [first - 1, last + 1].map((day) =>
    [run(['jalali', day, day]), `${day} -\n`, `day ${day}`]));

done();
