// A day of the secretariat: search, register, refer, the expert's answer,
// a reply out of a canned one, note, close; another letter by keyboard alone;
// the manager's statistics; the administrator's invitation up to the first
// log-in with TOTP.

import {
    axe, base, captcha, close, codeFrom, desktop, is, like, mobile,
    nationalCode, noise, ok, open, persian, phone, picture, run, screens,
    sms, staff, submit, totp,
} from './browser.mjs';
import { writeFileSync } from 'node:fs';

const photo = `${screens}/../photo-day.png`;
const subject = 'درخواست صدور پروانه';
const second = 'اعتراض به قبض';
let shots = 0;

writeFileSync(photo, noise(900, 1200));

await run(async () => {
    const citizen = await sender();
    const manager = await enter('manager');
    await canned(manager);

    const clerk = await enter('clerk', true);
    await onward(clerk);
    await search(clerk, citizen);
    await register(clerk, citizen);
    await refer(clerk, citizen);

    const expert = await enter('expert');
    await answer(expert, citizen);
    await close(expert, 'the expert');

    await together(clerk, manager, citizen);
    await kept(clerk, citizen);
    await hurried(clerk, manager, citizen);
    await refused(clerk);
    await reply(clerk, citizen);
    await end(clerk, citizen);
    await byKeyboard(clerk, citizen);
    await around(clerk, ['tickets', 'messages', 'canned']);
    await small(clerk, citizen);
    await close(clerk, 'the clerk');

    await statistics(manager);
    await close(manager, 'the manager');

    const admin = await enter('admin');
    await around(admin, ['units', 'books', 'calendar', 'settings',
                         'audit']);
    await invite(admin);
    await close(admin, 'the administrator');
    await close(citizen.page, 'the citizen');
});


// Somebody who has written twice.

async function sender() {
    const page = await open({ viewport: desktop, scripts: false });
    const who = { page, mobile: mobile(), codes: [] };

    await page.goto(`${base}/signup`);
    await page.fill('#national_code', nationalCode());
    await page.fill('#mobile', who.mobile);
    await page.fill('#birth_day', '9');
    await page.selectOption('#birth_month', '11');
    await page.fill('#birth_year', '1361');

    const code = await codeFrom(who.mobile, () => submit(page,
        'main form button.btn:not(.sr)'));

    await page.fill('#code', code);
    await submit(page);
    await page.goto(`${base}/desk/identity`);
    await submit(page, 'form[action$="/desk/identity/mobile"] button');
    await submit(page, 'form[action$="/desk/identity/registry"] button');

    for (const text of [subject, second]) {
        await page.goto(`${base}/desk/letters/new`);
        await page.fill('#address', 'تبریز، خیابان امام، پلاک ۷');
        await page.fill('#subject', text);
        await page.setInputFiles('input[type=file]', photo);
        await page.fill('#captcha', await captcha(page));
        await submit(page, 'main form button.btn:not(.sr)');
        who.codes.push(new URL(page.url()).searchParams.get('sent'));
    }

    return who;
}


async function enter(role, shown = false) {
    const page = await open({ viewport: desktop });
    const who = staff.find((s) => s.role === role);

    await page.goto(`${base}/clerk/`);

    if (shown) {
        await page.fill('#username', who.username);
        await page.fill('#password', 'this is not it');
        await submit(page);
        ok(await page.locator('#error-summary').count(),
           'a wrong password of a clerk');
        await look(page, 'login-wrong');
    }

    await page.fill('#username', who.username);
    await page.fill('#password', who.password);
    await submit(page);

    if (shown) {
        await look(page, 'totp');
    }

    await page.fill('#code', persian(await totp(who.totp_secret)));
    await submit(page);
    like(page.url(), /\/clerk\/$/, `${role}: the inbox`);
    return page;
}


async function canned(page) {
    await page.goto(`${base}/clerk/canned`);
    await page.fill('#title', 'تأیید درخواست');
    await page.fill('#body', '{{nobody_knows}} گرامی');
    await submit(page, 'form[action$="/canned"] button.btn');
    ok(await page.locator('#error-body').count(),
       'a placeholder that there is not');
    await look(page, 'canned-error');
    await page.fill('#body', '{{person_name}} گرامی، درخواست شما با کد '
        + '{{tracking_code}} تأیید شد.');
    await submit(page, 'form[action$="/canned"] button.btn');
    like(page.url(), /flash=/, 'a canned reply');
    await look(page, 'canned');
}


// From letter to letter, and back to the list they were opened from.

async function onward(page) {
    const list = `${base}/clerk/?tab=new&status=registered`;
    const next = page.locator('[data-inbox-next]');

    await page.goto(list);

    const letters = await page.locator('td.main a').evaluateAll((links) =>
        links.map((a) => a.href));

    await page.locator('td.main a').first().click();
    await page.waitForURL(letters[0]);
    await next.click();
    await page.waitForURL(letters[1]);
    ok(true, 'the next letter of the list');
    ok(letters.length > 2 || !await next.isVisible(),
       'behind the last there is none');
    await page.locator('[data-inbox-back]').click();
    await page.waitForURL(list);
    ok(true, 'back to the same list');
}


async function search(page, citizen) {
    await look(page, 'inbox');
    await page.fill('[name=q]', persian(citizen.codes[0]));
    await Promise.all([
        page.waitForURL(/\?s=/),
        page.locator('form[action$="/search"] button').last().click(),
    ]);
    ok(!page.url().includes(citizen.codes[0]),
       'the address does not tell what was searched');
    is(await page.locator('table.rows tbody tr').count(), 1, 'one is found');
    await look(page, 'search');
    await page.getByRole('link', { name: subject }).click();
    await page.waitForURL(/\/letters\/\d+$/);
    await look(page, 'letter');
}


async function register(page, citizen) {
    await submit(page, 'form[action$="/register"] button.btn');
    like(await page.locator('main').innerText(), /شماره/, 'registered');
    await sms(citizen.mobile, /شماره/);
    await look(page, 'registered');
}


async function refer(page) {
    const form = await task(page, 'refer');

    await submit(page, 'form[action$="/refer"] button.btn');
    ok(await page.locator('#error-summary').count(), 'refer: to nobody');
    await look(page, 'refer-error');
    await task(page, 'refer');
    await page.getByLabel('واحد فنی').check();
    await form.locator('#instruction').fill('بررسی و اعلام نظر');
    await form.locator('#due').fill('۳');
    await submit(page, 'form[action$="/refer"] button.btn');
    like(page.url(), /flash=referred/, 'referred');
    ok(!await page.locator('form[action$="/close"]').count(),
       'which does not close now');
    await look(page, 'referred');
}


async function answer(page, citizen) {
    await look(page, 'expert-inbox');
    await page.getByRole('link', { name: subject }).first().click();
    await page.waitForURL(/\/letters\/\d+$/);
    ok(!await page.getByText(second).count(),
       'of the other letter the expert sees nothing');
    await page.getByRole('link', { name: /^پاسخ به ارجاع/ }).first()
        .click();
    await page.waitForURL(/\/referrals\/\d+$/);
    await look(page, 'referral');
    await page.fill('#body', 'از نظر فنی بلامانع است.');
    await page.locator('form[action$="/answer"] button.btn').last().click();
    await page.waitForURL(/flash=/);
    await look(page, 'referral-answered');
    await page.goto(`${base}/clerk/letters/${citizen.codes[1]}`);
    like(await page.locator('h1').innerText(), /پیدا نشد|نیست/,
         'a letter that was not referred is none');
    await look(page, 'not-found');
}


// Two have one letter open: the second is told of the first, the first of
// what the second has added when they come back to the page.

async function together(page, colleague, citizen) {
    const letter = `${base}/clerk/letters/${citizen.codes[0]}`;

    await page.goto(letter);

    const notice = page.locator('[data-changed]');

    ok(!await notice.isVisible(), 'nothing has arrived yet');
    await colleague.goto(letter);
    like(await colleague.locator('.flash').first().innerText(),
         /نزد همکار دیگری هم باز است.*مریم دبیری/s,
         'another clerk has it open');
    await look(colleague, 'two-have-it-open');

    await back(page);
    ok(!await notice.isVisible(), 'coming back finds nothing new');

    const form = await task(colleague, 'note');

    await form.locator('#note_body').fill('لطفاً پیش از پاسخ هماهنگ کنید.');
    await submit(colleague, 'form[action$="/note"] button');
    await back(page);
    await notice.waitFor({ state: 'visible' });
    await look(page, 'something-arrived');
    await page.locator('[data-changed] a').click();
    await page.waitForLoadState('load');
    like(await page.locator('main').innerText(), /پیش از پاسخ هماهنگ/,
         'opened again it is there');
    await colleague.goto(`${base}/clerk/`);
}


// Comes back to a page after a while.

async function back(page) {
    const asked = page.waitForResponse(/\/changed\?/);

    await page.evaluate(() => {
        const now = Date.now;

        Date.now = () => now() + 16000;
        dispatchEvent(new Event('focus'));
    });
    await (await asked).finished();
}


// What is written is kept without a button; who comes back goes on with it.

async function kept(page, citizen) {
    await task(page, 'reply');
    await page.locator('#body').pressSequentially('با سلام، در دست');
    await page.locator('[data-draft-news]', { hasText: 'ذخیره شد' })
        .waitFor();
    await look(page, 'draft-kept');
    await page.goto(`${base}/clerk/`);
    await page.goto(`${base}/clerk/letters/${citizen.codes[0]}`);
    is(await page.locator('#body').inputValue(), 'با سلام، در دست',
       'the draft is in the form again');
    like(await page.locator('[data-draft-news]').innerText(),
         /هنوز فرستاده نشده/, 'and says so');
    await attach(page);
    await page.fill('#body', '');

    const answer = page.waitForResponse(/\/draft$/);

    await page.click('[formaction$="/draft"]');
    is((await answer).status(), 303, 'the button keeps what is written');
    is(await page.locator('form[action$="/reply"] [type=file]')
        .evaluate((input) => input.files.length), 1,
       'and the chosen file stays chosen');
}


// A colleague was quicker: with a file the script sends the form, and shows
// it again as the server does.

async function hurried(page, colleague, citizen) {
    const letter = `${base}/clerk/letters/${citizen.codes[0]}`;

    await page.goto(letter);
    await colleague.goto(letter);

    const note = await task(colleague, 'note');

    await note.locator('#note_body').fill('من هم این را دیده‌ام.');
    await submit(colleague, 'form[action$="/note"] button');
    await colleague.goto(`${base}/clerk/`);

    await task(page, 'reply');
    await page.fill('#body', 'پاسخی که دیر رسید');
    await attach(page);
    await send(page);
    await page.locator('#error-summary').waitFor();
    like(await page.locator('#error-summary').innerText(), /تغییر داد/,
         'with a file: a colleague was quicker');
    is(page.url(), letter, 'the form is where it was');
    is(await page.locator('#body').inputValue(), 'پاسخی که دیر رسید',
       'with what was written');
    is(await page.locator('[name=kept_file]').count(), 1,
       'and the file');
    await look(page, 'colleague-was-quicker');
}


// An answer without the form leaves it as it is, under all that was said.

async function refused(page) {
    const said = page.locator('form[action$="/reply"] [data-said]');

    await attach(page);
    await page.locator('form[action$="/reply"] [name=csrf]')
        .evaluate((field) => { field.value = 'x'; });
    await send(page);
    await page.locator('[data-said].field-error').waitFor();
    like(await said.innerText(), /رونوشت بردارید.*شناسهٔ این خطا: \w+/s,
         'with a file: what is wrong, and the reference');
    ok(!await page.locator('[data-cancel]').isVisible()
       && !await page.getByText('در حال فرستادن فایل‌ها').isVisible(),
       'nothing is on its way any more');
    is(await page.locator('#body').inputValue(), 'پاسخی که دیر رسید',
       'what was written is there');
    await look(page, 'refused-with-a-file');

    await page.route(/\/reply$/, (route) => route.fulfill({ status: 503,
        contentType: 'text/html; charset=utf-8',
        body: '<main><h1>h</h1><p class="lead">کمی بعد.</p>'
              + '<div class="flash note"><p>دریافت نشد.</p></div></main>' }));
    await send(page);
    await page.locator('[data-said]', { hasText: 'دریافت نشد' }).waitFor();
    is(await said.innerText(), 'کمی بعد. دریافت نشد.',
       'and what became of it');
    await page.unroute(/\/reply$/);
}


async function reply(page, citizen) {
    await page.goto(`${base}/clerk/letters/${citizen.codes[0]}`);
    like(await page.locator('main').innerText(), /از نظر فنی بلامانع است/,
         'the clerk reads the answer');

    await task(page, 'reply');
    await attach(page);
    await page.selectOption('#canned_id', { label: 'تأیید درخواست' });
    await page.locator('button[name=insert]').click();
    await page.waitForFunction(() =>
        document.querySelector('#body')?.value.includes('تأیید شد'));
    like(await page.locator('#body').inputValue(),
         new RegExp(`گرامی، درخواست شما با کد ${persian(citizen.codes[0])}`),
         'the canned reply with its values');
    is(await page.locator('[name=kept_file]').count(), 1,
       'and the file that was chosen before');

    const scan = page.locator('.stage.live img').first();
    const fitted = await scan.getAttribute('style');

    await page.locator('[data-do=in]').first().click();
    ok(await scan.getAttribute('style') !== fitted,
       'the scan beside it can still be enlarged');
    await look(page, 'reply');
    await page.locator('form[action$="/reply"] button.btn:not(.sr)').last()
        .click();
    await page.waitForURL(/flash=replied/);
    like(await page.locator('.thread').innerText(), /photo-day/,
         'the reply has its file');
    await sms(citizen.mobile, /یک پاسخ/);
    await look(page, 'replied');
}


async function end(page, citizen) {
    const form = await task(page, 'note');

    await form.locator('#note_body').fill('پروانه در بایگانی است.');
    await submit(page, 'form[action$="/note"] button');
    like(page.url(), /flash=noted/, 'a note');
    like(await page.locator('.thread .internal').last().innerText(),
         /بایگانی/, 'stands apart');
    await task(page, 'close');
    await submit(page, 'form[action$="/close"] button');
    like(page.url(), /flash=closed/, 'closed');
    await look(page, 'closed');

    await citizen.page.goto(`${base}/desk/letters/${citizen.codes[0]}`);
    ok(!/بایگانی|بلامانع/.test(await citizen.page.content()),
       'the citizen reads nothing internal');
}


// Without a mouse: from the inbox to the request for correction.

async function byKeyboard(page) {
    await page.goto(`${base}/clerk/`);
    await page.keyboard.press('Tab');
    is(await page.evaluate(() => document.activeElement.className), 'skip',
       'keyboard: the first stop skips to the text');
    await reach(page, 'table.rows a');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/letters\/\d+$/);
    await reach(page, 'form[action$="/register"] button.btn');
    await Promise.all([page.waitForURL(/flash=registered/),
                       page.keyboard.press('Enter')]);
    await page.waitForLoadState('load');

    // the viewer, which keeps nobody in

    await reach(page, '.stage');
    await page.keyboard.press('+');
    await page.keyboard.press('+');
    await page.keyboard.press('ArrowDown');
    ok(await page.locator('.stage').first().evaluate((s) => {
        const scan = s.querySelector('img').getBoundingClientRect();
        const stage = s.getBoundingClientRect();

        return scan.width > stage.width && scan.top < stage.top;
    }), 'keyboard: the scan is larger than its stage, and moved in it');
    await look(page, 'viewer-larger');

    await reach(page, 'details:has(form[action$="/ask-correction"]) summary');
    await page.keyboard.press('Enter');
    await reach(page, '#correction_body');
    await page.keyboard.type('صفحهٔ دوم نیست');
    await look(page, 'keyboard');
    await reach(page, 'form[action$="/ask-correction"] button.btn');
    await Promise.all([page.waitForURL(/flash=correction_asked/),
                       page.keyboard.press('Enter')]);
    await page.waitForLoadState('load');
    like(await page.locator('main').innerText(), /صفحهٔ دوم نیست/,
         'keyboard: a correction is asked');
    await look(page, 'correction-asked');
}


// Tab, until the focus is there; each stop on the way can be seen.

async function reach(page, selector) {
    let unseen = [];

    for (let i = 0; i < 120; i++) {
        await page.keyboard.press('Tab');

        const at = await page.evaluate((wanted) => {
            const e = document.activeElement;
            const style = getComputedStyle(e);
            const box = e.getBoundingClientRect();
            const shown = e === document.body || box.width > 1
                && (style.outlineStyle !== 'none'
                    || style.boxShadow !== 'none');

            return { there: e.matches(wanted),
                     unseen: shown ? '' : e.outerHTML.slice(0, 80) };
        }, selector);

        if (at.unseen) {
            unseen.push(at.unseen);
        }

        if (at.there) {
            is(unseen.join('\n'), '', `keyboard: the way to ${selector} `
                + 'can be seen');
            return;
        }
    }

    throw new Error(`the keyboard does not reach ${selector}`);
}


async function around(page, names) {
    for (const name of names) {
        await page.goto(`${base}/clerk/${name}`);
        ok(await page.locator('.masthead nav [aria-current]').count(),
           `${name}: stands in the menu`);
        await look(page, name);
    }
}


// The same on a phone.

async function small(page, citizen) {
    await page.setViewportSize(phone);

    for (const [name, path] of [['inbox', ''],
                                ['letter', `letters/${citizen.codes[1]}`],
                                ['messages', 'messages']])
    {
        await page.goto(`${base}/clerk/${path}`);
        await look(page, `phone-${name}`);
    }
}


async function statistics(page) {
    await page.goto(`${base}/clerk/statistics`);
    await page.locator('summary').first().click();
    like(await page.locator('.figures').innerText(), /۲\s*نامهٔ رسیده/,
         'two letters came');
    ok(await page.locator('figure.plot svg rect').count(), 'they are drawn');
    await look(page, 'statistics');
    await page.fill('#from', '۱۴۰۵/۱۳/۰۱');
    await submit(page, 'main form.filters button');
    ok(await page.locator('#error-summary').count(),
       'a month that there is not');
    await look(page, 'statistics-error');

    await page.setViewportSize(phone);
    await page.goto(`${base}/clerk/statistics`);
    await look(page, 'phone-statistics');
}


async function invite(page) {
    await page.goto(`${base}/clerk/staff`);
    await look(page, 'staff');
    await page.fill('#name', 'بهار تازه‌وارد');
    await page.fill('#username', 'bahar');
    await page.locator('input[name=role][value=expert]').check();
    await page.selectOption('#unit', { label: 'واحد فنی' });
    await submit(page, 'form[action$="/staff"] button.btn');

    const link = (await page.locator('.flash .mono').innerText()).trim();

    like(link, /\/clerk\/invitations\/[\w-]{43}$/, 'an invitation');
    await look(page, 'invited');

    const guest = await open({ viewport: desktop });

    await guest.goto(new URL(new URL(link).pathname, base).href);
    await look(guest, 'invitation');
    await guest.fill('#new_password', 'سه گنجشک روی سیم برق');
    await submit(guest);
    like(guest.url(), /\/clerk\/totp$/, 'then the authenticator');
    ok(await guest.locator('svg[role=img] path').count(), 'by its QR code');

    const secret = (await guest.locator('.card .mono').innerText())
        .replace(/\s/g, '');

    await look(guest, 'enrol');
    await guest.fill('#code', await totp(secret));
    await submit(guest);
    like(guest.url(), /\/clerk\/(\?|$)/, 'a first day');
    like(await guest.locator('.masthead').innerText(), /بهار تازه‌وارد/,
         'under one\'s own name');
    await look(guest, 'newcomer');
    await close(guest, 'the newcomer');

    await page.goto(`${base}/clerk/staff`);
    await page.getByRole('link', { name: 'بهار تازه‌وارد',
                                 exact: true }).click();
    await page.waitForURL(/edit=/);
    await look(page, 'staff-edit');
}


// -----------------------------------------------------------------------------

async function look(page, name) {
    await picture(page,
        `day-${String(++shots).padStart(2, '0')}-${name}`);
    await axe(page, `day: ${name}`);
}

async function attach(page) {
    await page.setInputFiles('form[action$="/reply"] [type=file]', photo);
    await page.locator('[data-news]', { hasText: 'آماده' }).waitFor();
}

async function send(page) {
    await page.locator('form[action$="/reply"] button.btn:not(.sr)').click();
}

// Opens what a form stands in.

async function task(page, what) {
    const form = page.locator(`form[action$="/${what}"]`);

    await form.evaluate((f) => { f.closest('details').open = true; });
    return form;
}
