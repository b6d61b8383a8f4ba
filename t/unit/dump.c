/*
 * The library on a pipe, for tests in languages that have another
 * implementation of the same thing:
 *
 *     dump jalali FROM TO       one line for each day since 1970
 *     dump COMMAND [NAME]       one answer line for each input line; strings
 *                               go in and come out in hex ("-": none)
 */

#include "accept.h"
#include "digits.h"
#include "encode.h"
#include "escape.h"
#include "ids.h"
#include "jalali.h"
#include "record.h"
#include "sms.h"
#include "text.h"
#include "tracking.h"
#include "urlencoded.h"


typedef struct {
    const char       *name;
    corr_check_pt     check;
} dump_check_t;


typedef struct {
    const char       *name;
    void            (*answer)(const corr_alloc_t *a, const char *name,
                              corr_str_t *s, unsigned n);
} dump_command_t;


static const dump_check_t  dump_checks[] = {
    { "national_code", corr_check_national_code },
    { "legal_id", corr_check_legal_id },
    { "mobile", corr_check_mobile },
    { "postal_code", corr_check_postal_code },
    { "phone", corr_check_phone },
    { "registration_number", corr_check_registration_number },
    { "code", corr_check_code },
    { "email", corr_check_email },
    { "uuid", corr_check_uuid },
    { "tracking", corr_check_tracking }
};


static void
dump_hex(corr_str_t s)
{
    size_t  i;

    if (s.data == NULL) {
        printf(" -");
        return;
    }

    printf(" x");

    for (i = 0; i < s.len; i++) {
        printf("%02x", s.data[i]);
    }
}


static void
dump_answer(int rc, corr_str_t s)
{
    printf("%d", rc);

    if (rc == CORR_OK) {
        dump_hex(s);
    }
}


static void
dump_check(const corr_alloc_t *a, const char *name, corr_str_t *s, unsigned n)
{
    int         rc;
    size_t      i;
    corr_str_t  out;

    (void) n;

    for (i = 0; i < sizeof(dump_checks) / sizeof(dump_checks[0]); i++) {
        if (strcmp(name, dump_checks[i].name) == 0) {
            out.len = 0;
            out.data = NULL;
            rc = dump_checks[i].check(a, s[0], &out);
            dump_answer(rc, out);
            return;
        }
    }

    exit(2);
}


static void
dump_text(const corr_alloc_t *a, const char *name, corr_str_t *s, unsigned n)
{
    int         rc;
    corr_str_t  out = corr_null_str;

    (void) n;

    if (strcmp(name, "search") == 0) {
        rc = corr_text_search(a, s[0], &out);

    } else if (strcmp(name, "lines") == 0) {
        rc = corr_text_clean(a, s[0], CORR_TEXT_LINES, &out);

    } else if (strcmp(name, "clean") == 0) {
        rc = corr_text_clean(a, s[0], 0, &out);

    } else if (strcmp(name, "filename") == 0) {
        rc = corr_text_filename(a, s[0], 64, &out);

    } else if (strcmp(name, "digits") == 0) {
        rc = CORR_OK;
        out = corr_digits_clean(a, s[0]);

    } else {
        rc = corr_utf8_valid(s[0]) ? CORR_OK : CORR_INVALID;
        out = s[0];
    }

    dump_answer(rc, out);
}


static void
dump_escape(const corr_alloc_t *a, const char *name, corr_str_t *s, unsigned n)
{
    int  kind;

    static const char *const  names[] = {
        "html", "url", "json", "csv", "log"
    };

    (void) n;

    for (kind = 0; strcmp(name, names[kind]) != 0; kind++) { /* void */ }

    dump_answer(CORR_OK, corr_escape(a, (corr_escape_e) kind, s[0]));
}


static void
dump_encode(const corr_alloc_t *a, const char *name, corr_str_t *s, unsigned n)
{
    size_t          size;
    corr_str_t      out;
    unsigned char  *last;

    (void) n;

    size = corr_hex_len(s[0].len);
    out.data = corr_alloc(a, size + 1);

    if (strcmp(name, "hex") == 0) {
        last = corr_hex_encode(out.data, s[0]);
        size = corr_hex_len(s[0].len);

    } else if (strcmp(name, "base64url") == 0) {
        last = corr_base64url_encode(out.data, s[0]);
        size = corr_base64url_len(s[0].len);

    } else {
        last = corr_base32_encode(out.data, s[0]);
        size = corr_base32_len(s[0].len);
    }

    out.len = (size_t) (last - out.data);

    dump_answer(out.len == size ? CORR_OK : CORR_ERROR, out);
}


static void
dump_decode(const corr_alloc_t *a, const char *name, corr_str_t *s, unsigned n)
{
    int         rc;
    corr_str_t  out;

    (void) n;

    out.len = 0;
    out.data = corr_alloc(a, s[0].len + 1);

    if (strcmp(name, "hex") == 0) {
        rc = corr_hex_decode(s[0], out.data, s[0].len, &out.len);

    } else if (strcmp(name, "base64url") == 0) {
        rc = corr_base64url_decode(s[0], out.data, s[0].len, &out.len);

    } else {
        rc = corr_base32_decode(s[0], out.data, s[0].len, &out.len);
    }

    dump_answer(rc, out);
}


static void
dump_sms(const corr_alloc_t *a, const char *name, corr_str_t *s, unsigned n)
{
    int         rc;
    corr_sms_t  sms;

    (void) a;
    (void) name;
    (void) n;

    rc = corr_sms_count(s[0], &sms);
    printf("%d", rc);

    if (rc == CORR_OK) {
        printf(" %u %zu %zu %zu", sms.ucs2, sms.units, sms.parts, sms.left);
    }
}


static void
dump_query(const corr_alloc_t *a, const char *name, corr_str_t *s, unsigned n)
{
    int            rc;
    unsigned       i;
    corr_fields_t  f;

    (void) name;
    (void) n;

    corr_fields_init(&f, a, NULL);
    rc = corr_query_parse(&f, s[0]);
    printf("%d", rc);

    for (i = 0; rc == CORR_OK && i < f.nfields; i++) {
        dump_hex(f.field[i].name);
        dump_hex(f.field[i].value);
    }
}


/* Is every way to cut the body in two, and into single bytes, the same? */

static int
dump_splits(corr_str_t boundary, corr_str_t body, const corr_record_t *whole)
{
    int            same;
    size_t         cut;
    corr_record_t  r;

    record_body(&r, boundary, NULL, body, 0, 0, 1);
    same = record_same(whole, &r);
    record_free(&r);

    for (cut = 0; same && cut <= body.len; cut++) {
        if (body.len > 20000 && cut > 600 && body.len - cut > 600) {
            continue;
        }

        record_body(&r, boundary, NULL, body, cut, cut, 0);
        same = record_same(whole, &r);
        record_free(&r);
    }

    return same;
}


/* Content-Type, body; answers on several lines, the last one is empty */

static void
dump_multipart(const corr_alloc_t *a, const char *name, corr_str_t *s,
    unsigned n)
{
    corr_str_t     boundary;
    corr_record_t  r;

    (void) a;
    (void) name;

    if (n != 2 || corr_multipart_boundary(s[0], &boundary) != CORR_OK) {
        printf("boundary\n");
        return;
    }

    record_body(&r, boundary, NULL, s[1], 0, 0, 0);

    printf("%d\n", r.rc);

    if (r.len) {
        fwrite(r.data, 1, r.len, stdout);
    }

    printf("%s\n", dump_splits(boundary, s[1], &r) ? "same" : "different");

    record_free(&r);
}


static const dump_command_t  dump_commands[] = {
    { "check", dump_check },
    { "text", dump_text },
    { "escape", dump_escape },
    { "encode", dump_encode },
    { "decode", dump_decode },
    { "sms", dump_sms },
    { "query", dump_query },
    { "multipart", dump_multipart }
};


static int
dump_jalali(int64_t day, int64_t last)
{
    int64_t         back, gregorian;
    corr_moment_t   m;

    for ( /* void */ ; day <= last; day++) {
        if (corr_moment(corr_day_start(day, CORR_TEHRAN_OFFSET),
                        CORR_TEHRAN_OFFSET, &m)
            != CORR_OK)
        {
            printf("%lld -\n", (long long) day);
            continue;
        }

        if (corr_jalali_to_days(m.jalali, &back) != CORR_OK
            || corr_gregorian_to_days(m.gregorian, &gregorian) != CORR_OK
            || m.days != day || back != day || gregorian != day)
        {
            return 1;
        }

        printf("%lld %d/%d/%d %d-%d-%d %d %02d:%02d:%02d\n", (long long) day,
               m.jalali.year, m.jalali.month, m.jalali.day,
               m.gregorian.year, m.gregorian.month, m.gregorian.day,
               m.weekday, m.hour, m.minute, m.second);
    }

    return 0;
}


/* "hex hex ...", split and decoded in place into at most max strings. */

static unsigned
dump_words(char *line, corr_str_t *s, unsigned max)
{
    char       *word;
    size_t      len;
    unsigned    n;
    corr_str_t  hex;

    n = 0;

    for (word = strtok(line, " \n"); word && n < max;
         word = strtok(NULL, " \n"))
    {
        hex = corr_cstr(word + 1);          /* behind the x */
        s[n].data = hex.data;

        if (corr_hex_decode(hex, s[n].data, hex.len, &len) != CORR_OK) {
            exit(2);
        }

        s[n++].len = len;
    }

    return n;
}


static int
dump_lines(const dump_command_t *command, const char *name)
{
    char           *line;
    size_t          size;
    unsigned        n;
    corr_str_t      s[2];
    corr_arena_t   *arena;

    line = NULL;
    size = 0;

    while (getline(&line, &size, stdin) > 0) {
        arena = corr_arena_create(0);
        n = dump_words(line, s, 2);

        if (arena == NULL || n == 0) {
            return 2;
        }

        command->answer(corr_arena_alloc(arena), name, s, n);
        putchar('\n');
        fflush(stdout);
        corr_arena_destroy(arena);
    }

    free(line);

    return 0;
}


int
main(int argc, char **argv)
{
    size_t  i;

    if (argc == 4 && strcmp(argv[1], "jalali") == 0) {
        return dump_jalali(atoll(argv[2]), atoll(argv[3]));
    }

    for (i = 0; i < sizeof(dump_commands) / sizeof(dump_commands[0]); i++) {
        if (argc >= 2 && strcmp(argv[1], dump_commands[i].name) == 0) {
            return dump_lines(&dump_commands[i], argc > 2 ? argv[2] : "");
        }
    }

    fprintf(stderr, "usage: dump COMMAND [NAME]\n");

    return 2;
}
