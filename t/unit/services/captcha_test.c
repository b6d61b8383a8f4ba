/*
 * Captchas: with arguments (png|wav, key file, id) it prints that file, for
 * other programs to read (captcha.t); without, it is a TAP program.
 */

#include "tap.h"
#include "services/captcha.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>


static corr_secrets_t *
key(const char *path)
{
    char  error[CORR_SERVICE_ERROR];

    return corr_secrets_load(&path, 1, error);
}


static int
make(char **argv)
{
    char             error[CORR_SERVICE_ERROR];
    corr_str_t       file;
    corr_secrets_t  *s;
    corr_captcha_t  *c;

    s = key(argv[2]);
    c = corr_captcha_load(s, "html/voice", 6, error);

    if (c == NULL
        || corr_captcha_make(c, strcmp(argv[1], "wav") == 0
                                ? CORR_CAPTCHA_WAV : CORR_CAPTCHA_PNG,
                             corr_cstr(argv[3]), &file) != CORR_OK)
    {
        return 1;
    }

    fwrite(file.data, 1, file.len, stdout);
    free(file.data);
    corr_captcha_free(c);
    corr_secrets_free(s);

    return 0;
}


static void
answers(const corr_captcha_t *c, const corr_captcha_t *other)
{
    size_t         i, n;
    corr_str_t     id;
    unsigned char  raw[CORR_CAPTCHA_ID], digits[CORR_CAPTCHA_MAX];
    unsigned char  typed[64], *p;
    unsigned char  redis[CORR_CAPTCHA_KEY];

    corr_captcha_new(raw);
    id = exact(0, corr_make_str(raw, sizeof(raw)));

    ok(corr_captcha_is_id(id), "an id has the form of one");
    ok(!corr_captcha_is_id(corr_make_str(raw, sizeof(raw) - 1)), "cut");
    ok(!corr_captcha_is_id(CORR_STR("../../../etc/passwd..!")), "not one");

    corr_captcha_key(id, redis);
    ok(memcmp(redis, "captcha:", 8) == 0
       && memcmp(redis + 8, id.data, id.len) == 0, "its key in Redis");

    n = corr_captcha_digits(c, id, digits);
    is_int((long long) n, 6, "six digits");

    for (i = 0; i < n && digits[i] >= '1' && digits[i] <= '9'; i++) {
        /* void */
    }

    is_int((long long) i, (long long) n, "of 1 to 9");

    ok(corr_captcha_right(c, id, exact(1, corr_make_str(digits, n))),
       "the answer");
    ok(!corr_captcha_right(other, id, corr_make_str(digits, n)),
       "is another with another key file");
    ok(!corr_captcha_right(c, id, corr_make_str(digits, n - 1)), "cut");
    ok(!corr_captcha_right(c, id, CORR_STR("")), "empty");

    p = typed;

    for (i = 0; i < n; i++) {
        *p++ = 0xdb;
        *p++ = (unsigned char) (0xb0 + digits[i] - '0');
        *p++ = ' ';
    }

    ok(corr_captcha_right(c, id, corr_make_str(typed,
                                               (size_t) (p - typed))),
       "in Persian digits, with blanks");

    p = typed;

    for (i = 0; i < n; i++) {
        *p++ = 0xd9;
        *p++ = (unsigned char) (0xa0 + digits[i] - '0');
    }

    ok(corr_captcha_right(c, id, exact(1, corr_make_str(typed,
                                               (size_t) (p - typed)))),
       "in Arabic digits");

    typed[1] = typed[1] == 0xa1 ? 0xa2 : 0xa1;
    ok(!corr_captcha_right(c, id, corr_make_str(typed,
                                                (size_t) (p - typed))),
       "one digit wrong");

    memset(typed, '1', sizeof(typed));
    ok(!corr_captcha_right(c, id, corr_make_str(typed, sizeof(typed))),
       "very long");
}


/* The key was changed while somebody looked at the picture. */

static void
rotated(const corr_captcha_t *before, const corr_captcha_t *now,
    const corr_captcha_t *both)
{
    size_t         n;
    corr_str_t     id, old, new;
    unsigned char  raw[CORR_CAPTCHA_ID], one[CORR_CAPTCHA_MAX];
    unsigned char  two[CORR_CAPTCHA_MAX], drawn[CORR_CAPTCHA_MAX];

    corr_captcha_new(raw);
    id = corr_make_str(raw, sizeof(raw));

    n = corr_captcha_digits(before, id, one);
    old = corr_make_str(one, n);
    n = corr_captcha_digits(now, id, two);
    new = corr_make_str(two, n);

    ok(!corr_captcha_right(now, id, old), "an old key that is not loaded");
    ok(corr_captcha_right(both, id, old), "one that is");
    ok(corr_captcha_right(both, id, new), "and the current one");

    n = corr_captcha_digits(both, id, drawn);
    ok(corr_str_eq(corr_make_str(drawn, n), new), "which draws");

    one[0] = one[0] == two[0] ? '0' : two[0];
    ok(!corr_captcha_right(both, id, old), "half of each is wrong");
}


static void
files(const corr_captcha_t *c)
{
    int            i, same, differ;
    size_t         largest, loudest;
    corr_str_t     id, one, two;
    unsigned char  raw[CORR_CAPTCHA_ID];

    largest = 0;
    loudest = 0;
    same = 0;
    differ = 0;
    id = corr_make_str(raw, sizeof(raw));

    for (i = 0; i < 50; i++) {
        corr_captcha_new(raw);

        corr_captcha_make(c, CORR_CAPTCHA_PNG, id, &one);
        corr_captcha_make(c, CORR_CAPTCHA_PNG, id, &two);
        same += corr_str_eq(one, two);
        largest = one.len > largest ? one.len : largest;
        free(two.data);

        corr_captcha_new(raw);
        corr_captcha_make(c, CORR_CAPTCHA_PNG, id, &two);
        differ += !corr_str_eq(one, two);
        free(one.data);
        free(two.data);

        corr_captcha_make(c, CORR_CAPTCHA_WAV, id, &one);
        loudest = one.len > loudest ? one.len : loudest;
        free(one.data);
    }

    is_int(same, 50, "one id, one picture");
    is_int(differ, 50, "another id, another picture");
    ok(largest <= 6144, "at most 6 KiB: %zu bytes", largest);
    ok(loudest <= 100000, "a sound of at most 100 KB: %zu bytes", loudest);
}


int
main(int argc, char **argv)
{
    char             error[CORR_SERVICE_ERROR], dir[] = "/tmp/corr-cap-XXXXXX";
    char             path[64], second[64];
    FILE            *f;
    const char      *files_of_key[2];
    corr_secrets_t  *s, *t, *both;
    corr_captcha_t  *c, *d, *e;

    if (argc == 4) {
        return make(argv);
    }

    if (mkdtemp(dir) == NULL) {
        return 1;
    }

    sprintf(path, "%s/key", dir);
    f = fopen(path, "w");
    fchmod(fileno(f), 0600);
    fprintf(f, "%064d", 7);
    fclose(f);
    s = key(path);

    sprintf(second, "%s/second", dir);
    f = fopen(second, "w");
    fchmod(fileno(f), 0600);
    fprintf(f, "%064d", 8);
    fclose(f);
    t = key(second);

    files_of_key[0] = second;
    files_of_key[1] = path;
    both = corr_secrets_load(files_of_key, 2, error);

    ok(corr_captcha_load(s, "/nonexistent", 6, error) == NULL, "no voice");
    ok(corr_captcha_load(s, "html/voice", 3, error) == NULL, "three digits");
    ok(corr_captcha_load(s, "html/voice", 9, error) == NULL, "nine digits");

    sprintf(path, "%s/0.wav", dir);
    f = fopen(path, "w");
    fprintf(f, "RIFF....WAVEdata%c%c%c%c", 255, 255, 255, 255);
    fclose(f);
    ok(corr_captcha_load(s, dir, 6, error) == NULL, "a broken recording: %s",
       error);

    c = corr_captcha_load(s, "html/voice", 6, error);
    d = corr_captcha_load(t, "html/voice", 6, error);

    e = corr_captcha_load(both, "html/voice", 6, error);

    answers(c, d);
    rotated(c, d, e);
    files(c);

    corr_captcha_free(c);
    corr_captcha_free(d);
    corr_captcha_free(e);
    corr_secrets_free(s);
    corr_secrets_free(t);
    corr_secrets_free(both);

    sprintf(path, "rm -rf %s", dir);

    return system(path) != 0 || tap_done();
}
