// The main job in a browser, from the first visit to reading the answer:
// steps 1 to 5, once on a phone as a natural person, once on a desktop
// without scripts for a company.

import {
    axe, base, captcha, close, code, desktop, is, legalId, like, messages,
    mobile, nationalCode, noise, ok, open, persian, phone, picture, run, sms,
    staff, submit, totp,
} from './browser.mjs';
import { writeFileSync } from 'node:fs';

const photo = `${process.env.SCREENS}/../photo.png`;

writeFileSync(photo, noise(1400, 1100));

await run(async () => {
    const parisa = await citizen('phone', { viewport: phone });
    await letter(parisa, 'phone', 'درخواست بازدید از انشعاب آب');
    await secretariat(parisa, 'desktop');
    await answer(parisa, 'phone');
    await close(parisa.page, 'the phone');

    const company = await citizen('plain', { viewport: desktop,
                                             scripts: false });
    await letter(company, 'plain', 'استعلام وضعیت قرارداد', true);
    await close(company.page, 'without scripts');
});


// 1 and 2: sign-up, password, identity.

async function citizen(how, options) {
    const page = await open(options);
    const who = { page, national: nationalCode(), mobile: mobile() };

    await page.goto(`${base}/`);
    like(await page.locator('html').getAttribute('dir'), /^rtl$/,
         `${how}: right to left`);
    await picture(page, `${how}-01-home`);
    await axeWith(page, options, `${how} home`);

    await page.locator('main').getByRole('link',
        { name: 'ثبت و پیگیری مکاتبات' }).click();
    await page.waitForURL(/\/login$/);
    await page.getByRole('link', { name: 'ثبت‌نام در سایت' }).click();
    await page.waitForURL(/\/signup$/);

    await submit(page, 'main form button.btn:not(.sr)');
    like(await page.locator('#error-summary').innerText(), /کد ملی/,
         `${how}: an empty form says what is missing`);
    await picture(page, `${how}-02-signup-errors`);
    await axeWith(page, options, `${how} sign-up`);

    // as people type it: Persian digits
    await page.fill('#national_code', persian(who.national));
    await page.fill('#mobile', persian(who.mobile));
    await page.fill('#birth_day', '۲۷');
    await page.selectOption('#birth_month', '3');
    await page.fill('#birth_year', '۱۳۶۵');
    await submit(page, 'main form button.btn:not(.sr)');
    like(page.url(), /\/signup\/code$/, `${how}: a code is on its way`);
    await picture(page, `${how}-03-code`);

    await page.fill('#code', await code(who.mobile));
    await submit(page);
    like(page.url(), /\/desk/, `${how}: the desk`);
    await picture(page, `${how}-04-desk`);
    await axeWith(page, options, `${how} desk`);

    await page.goto(`${base}/desk/password`);
    await page.fill('#new_password', 'اسب آبی روی پل چوبی');
    await submit(page);
    like(page.url(), /\/desk/, `${how}: the password is set`);

    await page.goto(`${base}/desk/identity`);
    await picture(page, `${how}-05-identity`);
    await axeWith(page, options, `${how} identity`);
    await submit(page, 'form[action$="/desk/identity/mobile"] button');
    await submit(page, 'form[action$="/desk/identity/registry"] button');
    like(await page.locator('main').innerText(), /تکمیل شده است/,
         `${how}: identity is complete`);
    await picture(page, `${how}-06-identity-done`);

    return who;
}


// 3: the letter.

async function letter(who, how, subject, legal = false) {
    const { page } = who;

    await page.goto(`${base}/desk/letters/new`);

    if (legal) {
        await page.check('#person_kind_legal');
        const id = legalId();

        // as the sandbox's register has it
        await page.fill('#company_national_id', id);
        await page.fill('#company_name', 'شرکت نمونه');
        await page.fill('#registration_number',
                        String(Number(id.slice(3, 9)) || 1));
        await page.fill('#company_postal_code', '1457853684');
        await page.fill('#company_phone', '02188776655');
        await page.fill('#position', 'مدیرعامل');
    }

    // who has script and writes for a minute is still there

    if (!legal) {
        await page.evaluate(() => {
            const now = Date.now;
            Date.now = () => now() + 61000;
        });
    }

    const stays = legal ? null
        : page.waitForResponse((r) => r.request().method() === 'HEAD');

    await page.fill('#address', 'تهران، خیابان آزادی، کوچهٔ یکم، پلاک ۲۹');

    if (stays) {
        is((await stays).status(), 200, `${how}: the session goes on`);
    }

    await page.fill('#subject', subject);
    await page.setInputFiles('input[type=file]', photo);

    if (await page.locator('#captcha').count()) {
        await page.fill('#captcha', await captcha(page));
    }

    await picture(page, `${how}-07-letter`);
    await axeIf(page, how, `${how} letter`);

    const before = page.url();
    await page.locator('main form button.btn:not(.sr)', { hasText: 'ثبت' })
        .first().click();
    await page.waitForURL(/\/desk\/letters\?sent=/, { timeout: 60000 });
    ok(page.url() !== before, `${how}: the letter was taken`);

    who.code = new URL(page.url()).searchParams.get('sent');
    like(who.code, /^\d{8}$/, `${how}: a tracking code`);
    await picture(page, `${how}-08-sent`);
    await axeIf(page, how, `${how} sent`);

    like(await sms(who.mobile, new RegExp(who.code)), new RegExp(who.code),
         `${how}: the code by SMS`);

    await page.goto(`${base}/desk/letters/${who.code}`);
    like(await page.locator('main').innerText(), new RegExp(subject),
         `${how}: the letter on the desk`);
    await picture(page, `${how}-09-letter`);
    await axeIf(page, how, `${how} one letter`);
}


// 4: the clerk.

async function secretariat(who, how) {
    const page = await open({ viewport: desktop });
    const clerk = staff.find((s) => s.role === 'clerk');

    await page.goto(`${base}/clerk/`);
    like(page.url(), /\/clerk\/login/, 'clerks log in first');
    await picture(page, `${how}-20-clerk-login`);
    await page.fill('#username', clerk.username);
    await page.fill('#password', clerk.password);
    await submit(page);
    await page.fill('#code', await totp(clerk.totp_secret));
    await submit(page);
    like(page.url(), /\/clerk\/$/, 'the inbox');
    like(await page.locator('main').innerText(),
         /درخواست بازدید از انشعاب آب/, 'has the letter');
    await picture(page, `${how}-21-inbox`);
    await axe(page, 'inbox');

    await page.getByRole('link', { name: 'درخواست بازدید از انشعاب آب' })
        .first().click();
    await page.waitForURL(/\/clerk\/letters\/\d+$/);

    const image = page.locator('.viewer img').first();
    await image.waitFor();
    ok(await image.evaluate((i) => i.decode().then(() => i.naturalWidth > 0)),
       'the picture stands beside the work');
    await picture(page, `${how}-22-letter`);
    await axe(page, 'clerk letter');

    await submit(page, 'form[action$="/register"] button.btn');
    like(await page.locator('main').innerText(), /ثبت شد|شماره/,
         'the letter is registered');
    like(await sms(who.mobile, /شماره/), new RegExp(who.code),
         'the register number by SMS');

    await page.evaluate(() => {
        document.querySelector('#reply').open = true;
    });
    await page.fill('#reply textarea[name=body]',
        'کاربر گرامی، درخواست شما بررسی و توسط کارشناسان تأیید گردید.');
    like(await page.locator('#reply').innerText(), /بخش/,
         'the SMS to be sent is shown with its parts');
    await picture(page, `${how}-23-reply`);
    await page.locator('form[action$="/reply"] button.btn:not(.sr)').last()
        .click();
    await page.waitForURL(/flash=replied/);
    await picture(page, `${how}-24-replied`);
    await close(page, 'the clerk');
}


// 5: the answer.

async function answer(who, how) {
    const { page } = who;
    const text = await sms(who.mobile, /یک پاسخ/);

    is(text, `یک پاسخ برای درخواست با کد رهگیری ${who.code} ثبت شده است.`,
       'the SMS that tells');

    await page.goto(`${base}/desk`);
    await picture(page, `${how}-30-desk-answered`);
    await page.goto(`${base}/desk/letters/${who.code}`);

    const thread = await page.locator('main').innerText();
    like(thread, /بررسی و توسط کارشناسان تأیید گردید/, 'the reply');
    like(thread, /[۰-۹]+ (فروردین|اردیبهشت|خرداد|تیر|مرداد|شهریور|مهر|آبان|آذر|دی|بهمن|اسفند)/,
         'with its Jalali date');
    like(thread, /ساعت [۰-۹]{2}:[۰-۹]{2}/, 'and time');
    await picture(page, `${how}-31-answer`);
    await axe(page, 'answer');
    ok((await messages(who.mobile)).length >= 4, 'four messages in all');
}


async function axeWith(page, options, name) {
    if (options.scripts !== false) {
        await axe(page, name);
    }
}

async function axeIf(page, how, name) {
    if (how !== 'plain') {
        await axe(page, name);
    }
}
