/* Small files of the configuration: what is taken, and what is not. */

#include "tap.h"
#include "read_file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>


#define MAX  100


static char  path[] = "/tmp/corr-read-XXXXXX";


/* The reason, or NULL and *n bytes in data. */

static const char *
reads(corr_str_t text, int mode, unsigned flags, unsigned char *data, long *n)
{
    FILE        *f;
    const char  *reason;

    f = fopen(path, "w");
    fwrite(text.data, 1, text.len, f);
    fclose(f);
    chmod(path, (mode_t) mode);

    *n = corr_read_file(path, flags, data, MAX, &reason);

    ok((*n == -1) == (reason != NULL), "a reason when it fails");

    return reason;
}


static void
taken(corr_str_t text, int mode, unsigned flags, corr_str_t expected,
    const char *what)
{
    long           n;
    const char    *reason;
    unsigned char  data[MAX + 1];

    reason = reads(text, mode, flags, data, &n);

    if (ok(reason == NULL, "%s: %s", what, reason ? reason : "taken")) {
        is_str(corr_make_str(data, (size_t) n), expected, what);
    }
}


static void
refused(corr_str_t text, int mode, unsigned flags, const char *why)
{
    long           n;
    const char    *reason;
    unsigned char  data[MAX + 1];

    reason = reads(text, mode, flags, data, &n);

    is_text(corr_cstr(reason ? reason : ""), why, why);
}


static void
no_file(const char *name, const char *why)
{
    const char     *reason;
    unsigned char   data[MAX + 1];

    is_int(corr_read_file(name, 0, data, MAX, &reason), -1, name);
    is_text(corr_cstr(reason), why, why);
}


int
main(void)
{
    char           fifo[64];
    unsigned char  long_one[MAX + 2];

    const char  *others = "may be read or written by others; "
                          "chmod 0640 or 0400";

    close(mkstemp(path));

    memset(long_one, 'x', sizeof(long_one));
    long_one[MAX] = '\n';

    taken(CORR_STR("pass word"), 0600, 3, CORR_STR("pass word"), "a secret");
    taken(CORR_STR("word\r\n\n"), 0640, 3, CORR_STR("word"), "its line ends");
    taken(CORR_STR("a\nb\n"), 0400, 3, CORR_STR("a\nb"), "but not within");
    taken(CORR_STR("word\n"), 0644, CORR_READ_TEXT, CORR_STR("word"),
          "no secret");
    taken(CORR_STR("a\0 \n"), 0600, CORR_READ_SECRET, CORR_STR("a\0 \n"),
          "no text");
    taken(CORR_STR(""), 0600, CORR_READ_SECRET, CORR_STR(""), "nothing");
    taken(corr_make_str(long_one, MAX), 0600, 3,
          corr_make_str(long_one, MAX), "as long as may be");

    refused(corr_make_str(long_one, MAX + 1), 0600, 3, "is too large");
    refused(CORR_STR(""), 0600, 3, "is empty");
    refused(CORR_STR("\r\n"), 0600, 3, "is empty");
    refused(CORR_STR("a\0b\n"), 0600, 3, "is no text: it holds a NUL");
    refused(CORR_STR("word \n"), 0600, 3, "ends with a blank");
    refused(CORR_STR("word"), 0644, 3, others);
    refused(CORR_STR("word"), 0620, CORR_READ_SECRET, others);

    snprintf(fifo, sizeof(fifo), "%s.fifo", path);
    ok(mkfifo(fifo, 0600) == 0, "a FIFO nobody writes to");
    no_file(fifo, "is not a plain file");
    no_file("/tmp", "is not a plain file");
    no_file("/nonexistent/file", "No such file or directory");

    unlink(fifo);
    unlink(path);

    return tap_done();
}
