// Every way of a citizen: in by password, by code, by recovery; the letter
// by way of the answers to be checked, correction, follow-up, ticket,
// receipt, tracking, sessions.  On a phone and on a desktop, with scripts
// and without.

import {
    axe, base, captcha, close, codeFrom, desktop, is, like, mobile,
    nationalCode, noise, ok, open, persian, phone, picture, run, screens,
    sms, staff, submit, totp,
} from './browser.mjs';
import { writeFileSync } from 'node:fs';

const photo = `${screens}/../photo-ways.png`;
const better = `${screens}/../photo-better.png`;
const large = `${screens}/../photo-large.png`;

writeFileSync(photo, noise(300, 200));
writeFileSync(better, noise(320, 210));
writeFileSync(large, noise(1400, 1100));

const desk = /\/desk(\/identity)?(\?|$)/;

await run(async () => {
    const clerk = await secretary();

    for (const [how, options] of [
        ['phone', { viewport: phone }],
        ['phone-plain', { viewport: phone, scripts: false }],
        ['desktop', { viewport: desktop }],
        ['desktop-plain', { viewport: desktop, scripts: false }],
    ]) {
        const page = await open(options);
        const who = { page, how, scripts: options.scripts !== false,
                      national: nationalCode(), mobile: mobile(),
                      shots: 0 };

        await account(who);
        await byPassword(who);
        await byCode(who);
        await byRecovery(who);
        await letter(who);
        await discard(who);
        await correction(who, clerk);
        await followUp(who, clerk);
        await receipt(who);
        await ticket(who);
        await sessions(who, options);
        await track(who);
        await close(page, how);
    }

    await close(clerk, 'the clerk');
});


// The account: what all ways lead into.

async function account(who) {
    const { page, how } = who;

    await page.goto(`${base}/signup`);
    await page.fill('#national_code', who.national);
    await page.fill('#mobile', who.mobile);
    await page.fill('#birth_day', '9');
    await page.selectOption('#birth_month', '11');
    await page.fill('#birth_year', '1361');

    const code = await codeFrom(who.mobile, () => send(page));

    await page.fill('#code', persian(code));
    await send(page);
    like(page.url(), desk, `${how}: signed up`);

    who.password = 'چتر قرمز کنار ایوان';
    await page.goto(`${base}/desk/password`);
    await look(who, 'password');
    await page.fill('#new_password', 'password');
    await send(page);
    ok(await page.locator('#error-new_password').count(),
       `${how}: too common a password`);
    await look(who, 'password-common');
    await page.fill('#new_password', who.password);

    if (who.scripts) {
        await page.click('[data-reveal=new_password]');
        is(await page.locator('#new_password').getAttribute('type'), 'text',
           `${how}: the password can be seen`);
    }

    await send(page);
    like(page.url(), desk, `${how}: a password`);

    await page.goto(`${base}/desk/identity`);
    await submit(page, 'form[action$="/desk/identity/mobile"] button');
    await submit(page, 'form[action$="/desk/identity/registry"] button');
    await logout(who);
}


async function byPassword(who) {
    const { page, how } = who;

    await page.goto(`${base}/desk/letters`);
    like(page.url(), /\/login\?next=/, `${how}: log in first`);
    await look(who, 'login');
    await page.fill('#national_code', who.national);
    await page.fill('#password', 'نه این نیست');
    await send(page);
    ok(await page.locator('#error-summary').count(),
       `${how}: a wrong password`);
    is(await page.locator('#password').inputValue(), '',
       `${how}: which does not come back`);
    await look(who, 'login-wrong');
    await page.fill('#password', who.password);
    await send(page);
    like(page.url(), /\/desk\/letters$/, `${how}: where one wanted to go`);
    await look(who, 'letters-empty');
    await page.goto(`${base}/desk/letters/1`);
    ok(!await page.getByRole('link', { name: 'منوی میز کار' }).isVisible(),
       `${how}: no link to a menu that is not there`);
    await logout(who);
}


async function byCode(who) {
    const { page, how } = who;

    await page.goto(`${base}/login`);
    await page.getByRole('link', { name: 'ورود با رمز یکبار مصرف' }).click();
    await page.waitForURL(/\/login\/code$/);
    await look(who, 'code-national');
    await page.fill('#national_code', '1234567890');
    await send(page);
    ok(await page.locator('#error-national_code').count(),
       `${how}: no national code`);
    await page.fill('#national_code', persian(who.national));
    await send(page);
    like(page.url(), /\/login\/code\/mobile$/, `${how}: the mobile`);

    const mask = (await page.locator('#hint-mobile bdi').innerText())
        .replace(/[۰-۹]/g, (c) => c.charCodeAt(0) - 0x6f0);
    const first = mask.match(/^\d+/)[0];
    const last = mask.match(/\d+$/)[0];

    ok(who.mobile.startsWith(first) && who.mobile.endsWith(last)
       && first.length + last.length < 11, `${how}: is masked: ${mask}`);
    await look(who, 'code-mask');

    const hidden = who.mobile.slice(first.length, 11 - last.length);

    await page.fill('#mobile', persian(hidden));

    const code = await codeFrom(who.mobile, () => send(page));

    like(page.url(), /\/login\/code\/verify$/,
         `${how}: the hidden digits are enough`);
    await look(who, 'code-verify');
    await page.fill('#code', String((Number(code) + 1) % 1e6)
        .padStart(6, '0'));
    await send(page);
    ok(await page.locator('#error-code').count(), `${how}: a wrong code`);
    is(await page.locator('#code').inputValue(), '',
       `${how}: does not come back`);
    await look(who, 'code-wrong');
    await page.fill('#code', code);
    await send(page);
    like(page.url(), desk, `${how}: the right one opens the desk`);
    await look(who, 'desk');
    await logout(who);
}


async function byRecovery(who) {
    const { page, how } = who;

    await page.goto(`${base}/login`);
    await page.getByRole('link', { name: 'فراموش' }).click();
    await page.waitForURL(/\/recover$/);
    await look(who, 'recover');
    await page.fill('#national_code', who.national);
    await page.fill('#mobile', who.mobile);

    const code = await codeFrom(who.mobile, () => send(page));

    await look(who, 'recover-code');
    await page.fill('#code', code);
    await send(page);
    like(page.url(), /\/recover\/password$/, `${how}: a new password`);
    await look(who, 'recover-password');
    who.password = 'فانوس سبز پشت پنجره';
    await page.fill('#new_password', who.password);
    await send(page);
    like(await sms(who.mobile, /کلمه عبور/), /کلمه عبور/,
         `${how}: an SMS says so`);

    if (/\/login/.test(page.url())) {
        await page.fill('#national_code', who.national);
        await page.fill('#password', who.password);
        await send(page);
    }

    like(page.url(), desk, `${how}: in by the new password`);
}


// By way of the answers to be checked.

async function letter(who) {
    const { page, how } = who;

    await page.goto(`${base}/desk/letters/new`);
    await page.fill('#subject', `بازبینی ${how}`);
    await check(page);
    ok(await page.locator('#error-address').count(),
       `${how}: an address is missing`);
    await look(who, 'form-errors');

    if (who.scripts && await page.locator('#captcha').count()) {
        await another(who);
    }

    await page.fill('#address', 'اصفهان، خیابان چهارباغ، پلاک ۱۲');
    await page.fill('#body', 'متن نامه');
    await page.setInputFiles('input[type=file]', photo);

    if (who.scripts) {
        await page.setInputFiles('input[type=file]', large);
    }

    await check(page);
    await page.waitForURL(/\/desk\/letters\/drafts\//);
    like(await page.locator('main').innerText(), /چهارباغ/,
         `${how}: the answers`);
    await look(who, 'check');

    await page.getByRole('link', { name: 'تغییر موضوع' }).click();
    await page.waitForURL(/draft=/);
    is(await page.locator('#subject').inputValue(), `بازبینی ${how}`,
       `${how}: an answer can be changed`);
    is(await page.locator('[name=kept_file]').count(), who.scripts ? 2 : 1,
       `${how}: the files are kept`);

    if (who.scripts) {
        const field = page.locator('input[type=file]');
        const news = page.locator('[data-news]');

        await field.setInputFiles({ name: 'a.txt', mimeType: 'text/plain',
                                    buffer: Buffer.from('a') });
        await news.filter({ hasText: 'انتخاب کنید: JPEG' }).waitFor();
        await field.setInputFiles([photo, photo, photo, better]);
        await news.filter({ hasText: 'جا ندارد' }).waitFor();
        is(await page.locator('[data-list] li').count(), 3,
           `${how}: of five there is room for three more`);

        for (let i = 0; i < 3; i++) {
            await page.locator('[data-list] button').first().click();
        }

        await page.locator('[name=kept_file]').last().uncheck();
    }

    await page.fill('#subject', `بازبینی دوم ${how}`);
    await check(page);
    await page.waitForURL(/\/desk\/letters\/drafts\//);
    await send(page);
    await page.waitForURL(/\?sent=\d+/);
    who.code = new URL(page.url()).searchParams.get('sent');
    await look(who, 'sent');
    like(await page.locator('main').innerText(), /بازبینی دوم/,
         `${how}: what was sent is what was checked`);
}


// Another picture, at the second try.

async function another(who) {
    const { page, how } = who;
    const news = page.locator('[data-captcha-news]');
    const button = page.locator('[name=captcha_new]');

    await page.route(/\/captcha$/, (route) => route.fulfill({
        status: 503, body: '' }));
    await button.click();
    await page.locator('[data-captcha-news]', { hasText: 'نیامد' }).waitFor();
    await page.unroute(/\/captcha$/);
    await button.click();
    await page.locator('[data-captcha-news]', { hasText: 'تازه آمد' })
        .waitFor();
    is(await news.getAttribute('class'), 'sr',
       `${how}: a picture that came is no error`);
}


// What was begun and is not wanted any more.

async function discard(who) {
    const { page, how } = who;

    await page.goto(`${base}/desk/letters/new`);
    await page.fill('#subject', `رها شده ${how}`);
    await page.fill('#address', 'اصفهان، خیابان چهارباغ، پلاک ۱۲');
    await page.setInputFiles('input[type=file]', photo);
    await check(page);
    await page.waitForURL(/\/desk\/letters\/drafts\//);
    await page.goto(`${base}/desk/letters`);
    like(await page.locator('[aria-labelledby=drafts]').innerText(),
         /رها شده/, `${how}: a draft stands in the list`);
    await look(who, 'drafts');
    await press(page, 'form[action$="/discard"] button',
                /flash=draft_discarded/);
    is(await page.locator('[aria-labelledby=drafts]').count(), 0,
       `${how}: thrown away`);
}


async function correction(who, clerk) {
    const { page, how } = who;

    await work(clerk, who, 'register');
    await work(clerk, who, 'ask-correction', async (form) => {
        await form.locator('[name=correction_body]')
            .fill('صفحهٔ نخست خوانا نیست');
    });

    await page.goto(`${base}/desk`);
    await look(who, 'desk-correction');
    await page.goto(`${base}/desk/letters/${who.code}`);
    like(await page.locator('#content').innerText(), /خوانا نیست/,
         `${how}: what is wrong`);
    await look(who, 'correction');
    await send(page, 'form[action$="/corrections"] button.btn');
    ok(await page.locator('#error-file').count(), `${how}: without a file`);

    const field = page.locator('form[action$="/corrections"] [type=file]');

    if (who.scripts) {
        await field.setInputFiles(photo);
    }

    await field.setInputFiles(better);

    if (who.scripts) {
        await page.locator('[data-news]', { hasText: 'آماده' }).waitFor();
        like(await page.locator('[data-list]').innerText(), /better/,
             `${how}: the file chosen last`);
        is(await page.locator('[data-list] li').count(), 1,
           `${how}: and that one only`);
    }

    await press(page, 'form[action$="/corrections"] button.btn',
                /flash=|letters\/\d+$/);
    ok(!await page.locator('form[action$="/corrections"]').count(),
       `${how}: corrected under the same code`);
    await look(who, 'corrected');
}


async function followUp(who, clerk) {
    const { page, how } = who;

    await work(clerk, who, 'reply', async (form) => {
        await form.locator('[name=body]').fill('پاسخ دبیرخانه به شما');
    });
    await page.goto(`${base}/desk/letters/${who.code}`);
    like(await page.locator('main').innerText(), /پاسخ دبیرخانه به شما/,
         `${how}: the answer`);
    await page.locator('summary', { hasText: 'پیرو' }).click();
    await page.fill('#body', 'سپاس، یک پرسش دیگر هم دارم.');
    await look(who, 'follow-up');
    await press(page, 'form[action$="/followups"] button.btn', /flash=/);
    like(await page.locator('.thread').innerText(), /یک پرسش دیگر/,
         `${how}: the follow-up stands in the thread`);
    await look(who, 'thread');
}


// On paper: one A5 page.

async function receipt(who) {
    const { page, how } = who;

    await page.goto(`${base}/desk/letters/${who.code}/receipt`);
    await look(who, 'receipt');
    await page.emulateMedia({ media: 'print' });
    await page.setViewportSize({ width: 559, height: 794 });
    await page.screenshot({ path: `${screens}/ways-${how}-receipt-a5.png`,
                            fullPage: true });
    ok(!await page.locator('.menu').isVisible(),
       `${how}: no menu on paper`);

    const pdf = await page.pdf({ preferCSSPageSize: true });
    const sheets = pdf.toString('latin1').match(/\/Type\s*\/Page\b/g) ?? [];
    const box = pdf.toString('latin1')
        .match(/\/MediaBox\s*\[\s*0\s+0\s+([\d.]+)\s+([\d.]+)/) ?? [];

    is(sheets.length, 1, `${how}: the receipt is one page`);
    is(`${Math.round(box[1] / 72 * 25.4)}x${Math.round(box[2] / 72 * 25.4)}`,
       '148x210', `${how}: of A5`);

    await page.emulateMedia({ media: null });
    await page.setViewportSize(/phone/.test(how) ? phone : desktop);

    const verify = await page.locator('.qr a').getAttribute('href');

    await page.goto(new URL(new URL(verify).pathname, base).href);
    await look(who, 'verify');
    ok(!/بازبینی دوم/.test(await page.locator('main').innerText()),
       `${how}: the proof does not tell the subject`);
}


async function ticket(who) {
    const { page, how } = who;

    await page.goto(`${base}/desk/tickets/new`);
    await send(page, 'form[action$="/desk/tickets"] button.btn');
    ok(await page.locator('#error-body').count(), `${how}: an empty ticket`);
    await look(who, 'ticket-errors');
    await page.fill('#subject', 'فایل من بالا نمی‌رود');
    await page.fill('#body', 'هنگام فرستادن فایل چه کنم؟');
    await press(page, 'form[action$="/desk/tickets"] button.btn',
                /\/desk\/tickets(\/\d+)?(\?|$)/);
    await look(who, 'ticket');
    await page.goto(`${base}/desk/tickets`);
    like(await page.locator('main').innerText(), /فایل من بالا/,
         `${how}: the ticket in the list`);
    await look(who, 'tickets');
    await page.goto(`${base}/desk/profile`);
    await look(who, 'profile');
}


async function sessions(who, options) {
    const { page, how } = who;
    const other = await open(options);

    await other.goto(`${base}/login`);
    await other.fill('#national_code', who.national);
    await other.fill('#password', who.password);
    await send(other);
    like(other.url(), desk, `${how}: a second device`);

    await page.goto(`${base}/desk/sessions`);
    is(await page.locator('ul.tasks > li').count(), 2,
       `${how}: both are listed`);
    await look(who, 'sessions');
    await submit(page, 'ul.tasks form button');
    is(await page.locator('ul.tasks > li').count(), 1, `${how}: one is left`);
    await other.goto(`${base}/desk`);
    like(other.url(), /\/login/, `${how}: the other is out`);
    await look({ ...who, page: other, shots: 80 }, 'ended');
    await close(other, `${how}, the second device`);
}


async function track(who) {
    const { page, how } = who;

    await logout(who);
    await page.goto(`${base}/track`);
    await look(who, 'track');
    await page.fill('#tracking_code', persian(who.code));
    await page.fill('#mobile_last4', persian(who.mobile.slice(-4)));
    await send(page);

    const said = await page.locator('main').innerText();

    ok(await page.locator('#found').count(), `${how}: found`);
    ok(!/بازبینی دوم|پاسخ دبیرخانه/.test(said),
       `${how}: the state, and nothing else`);
    await look(who, 'tracked');
}


// -----------------------------------------------------------------------------

async function look(who, name) {
    const { page, how } = who;
    const number = String(++who.shots).padStart(2, '0');

    await picture(page, `ways-${how}-${number}-${name}`);

    if (who.scripts) {
        await axe(page, `${how} ${name}`);
    }
}

// As a person does it: the security code too, when one is asked.

async function send(page, selector = 'main form button.btn:not(.sr)') {
    if (await page.locator('#captcha').count()) {
        await page.fill('#captcha', await captcha(page));
    }

    await submit(page, selector);
}

// With files a script may send the form itself.

async function press(page, selector, where) {
    const before = page.url();

    if (await page.locator('#captcha').count()) {
        await page.fill('#captcha', await captcha(page));
    }

    await page.locator(selector).first().click();
    await page.waitForURL((url) => where.test(url.href)
                                   && (url.href !== before));
    await page.waitForLoadState('load');
}

async function check(page) {
    if (await page.locator('#captcha').count()) {
        await page.fill('#captcha', await captcha(page));
    }

    await submit(page, 'button[formaction$="/desk/letters/check"]');
}

async function logout(who) {
    const { page, how } = who;

    await page.goto(`${base}/desk`);

    if (/phone/.test(how)) {
        await page.getByRole('link', { name: 'منوی میز کار' }).click();
    }

    await submit(page, '.menu form[action$="/logout"] button');
    await page.goto(`${base}/desk`);
    like(page.url(), /\/login/, `${how}: logged out`);
}

async function secretary() {
    const page = await open({ viewport: desktop });
    const clerk = staff.find((s) => s.role === 'clerk');

    await page.goto(`${base}/clerk/login`);
    await page.fill('#username', clerk.username);
    await page.fill('#password', clerk.password);
    await submit(page);
    await page.fill('#code', await totp(clerk.totp_secret));
    await submit(page);
    return page;
}

async function work(page, who, what, fill) {
    await page.goto(`${base}/clerk/letters/${who.code}`);
    await page.evaluate(() => document.querySelectorAll('details')
        .forEach((d) => { d.open = true; }));

    const form = page.locator(`form[action$="/${what}"]`);

    await fill?.(form);
    await form.locator('button.btn:not(.sr)').last().click();
    await page.waitForURL(/flash=/);
}
