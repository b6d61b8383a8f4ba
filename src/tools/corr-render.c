/*
 * Renders one template with data from a JSON file, for tests and designers:
 *
 *     corr-render TEMPLATE DATA.json
 *
 * Partials are NAME.html in the template's directory, or below it; one that
 * is not there is empty.  Plain Mustache otherwise: unescaped values are
 * allowed, numbers print as in JSON.  Texts of labels ({{status.label}}) are
 * taken from the data's member "messages": {"status_answered": "…"}.
 *
 * The rendering goes to stdout.  Exit status 0; 1 with a line on stderr when
 * the template or the data is bad; 2 when it was called wrongly.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../lib/jalali.h"
#include "../lib/json.h"
#include "../lib/template.h"


#define CORR_RENDER_INPUT    (16 * 1024 * 1024)
#define CORR_RENDER_OUTPUT   (64 * 1024 * 1024)


typedef struct {
    const corr_alloc_t   *alloc;
    const char           *template;
    const corr_view_t    *messages;
} corr_tool_t;


/* CORR_INVALID: there is no such file.  CORR_ERROR was reported. */

static int
corr_tool_read(const corr_tool_t *tool, const char *path, corr_str_t *text)
{
    int          fd;
    ssize_t      n;
    struct stat  st;

    fd = open(path, O_RDONLY);
    if (fd == -1) {
        if (errno == ENOENT) {
            return CORR_INVALID;
        }

        goto failed;
    }

    if (fstat(fd, &st) == -1) {
        goto failed;
    }

    if (!S_ISREG(st.st_mode) || st.st_size > CORR_RENDER_INPUT) {
        errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
        goto failed;
    }

    text->len = 0;
    text->data = corr_alloc(tool->alloc, (size_t) st.st_size + 1);
    if (text->data == NULL) {
        errno = ENOMEM;
        goto failed;
    }

    while (text->len < (size_t) st.st_size) {
        n = read(fd, text->data + text->len,
                 (size_t) st.st_size - text->len);
        if (n == -1) {
            goto failed;
        }

        if (n == 0) {
            break;
        }

        text->len += (size_t) n;
    }

    (void) close(fd);

    return CORR_OK;

failed:

    fprintf(stderr, "%s: %s\n", path, strerror(errno));

    if (fd != -1) {
        (void) close(fd);
    }

    return CORR_ERROR;
}


/* The compiler lets no name pass that leads out of the directory. */

static int
corr_tool_partial(void *data, corr_str_t name, corr_str_t *text)
{
    int                 n;
    char                path[4096];
    const char         *slash;
    const corr_tool_t  *tool = data;

    slash = strrchr(tool->template, '/');
    n = (slash == NULL) ? 0 : (int) (slash - tool->template + 1);

    n = snprintf(path, sizeof(path), "%.*s%.*s.html", n, tool->template,
                 (int) name.len, name.data);
    if (n >= (int) sizeof(path)) {
        return CORR_INVALID;
    }

    return corr_tool_read(tool, path, text);
}


static int
corr_tool_label(void *data, corr_str_t name, corr_str_t value,
    corr_str_t *text)
{
    corr_str_t          key;
    corr_value_t        found;
    unsigned char       buf[256];
    const corr_tool_t  *tool = data;

    if (name.len + value.len + 1 > sizeof(buf)) {
        return CORR_INVALID;
    }

    memcpy(buf, name.data, name.len);
    buf[name.len] = '_';
    memcpy(buf + name.len + 1, value.data, value.len);

    key = corr_make_str(buf, name.len + 1 + value.len);

    if (!corr_view_get(tool->messages, key, corr_name_hash(key), &found)
        || found.kind != CORR_TEXT)
    {
        return CORR_INVALID;
    }

    *text = found.s;

    return CORR_OK;
}


static int
corr_tool_write(void *data, const void *p, size_t n)
{
    return (fwrite(p, 1, n, data) == n) ? CORR_OK : CORR_ERROR;
}


/* Data that is no object (a list, a number) becomes the root's ".". */

static const corr_view_t *
corr_tool_data(corr_tool_t *tool, const char *path)
{
    int                rc;
    corr_str_t         text, name = corr_str("messages");
    corr_view_t       *view;
    corr_value_t       value;
    corr_json_error_t  error;

    rc = corr_tool_read(tool, path, &text);
    if (rc == CORR_INVALID) {
        fprintf(stderr, "%s: no such file\n", path);
    }

    if (rc != CORR_OK) {
        return NULL;
    }

    error.offset = 0;
    error.text[0] = '\0';

    rc = corr_json_parse(tool->alloc, text, 0, &value, &error);
    if (rc != CORR_OK) {
        fprintf(stderr, "%s: byte %zu: %s\n", path, error.offset,
                error.text);
        return NULL;
    }

    if (value.kind != CORR_OBJECT) {
        view = corr_view_create(tool->alloc);
        corr_view_value(view, ".", value);

        return view;
    }

    view = value.object;

    if (corr_view_get(view, name, corr_name_hash(name), &value)
        && value.kind == CORR_OBJECT)
    {
        tool->messages = value.object;
    }

    return view;
}


static const corr_template_t *
corr_tool_template(corr_tool_t *tool)
{
    int                     rc;
    corr_str_t              text;
    corr_templates_t       *set;
    corr_template_t        *template;
    corr_template_error_t   error;

    rc = corr_tool_read(tool, tool->template, &text);
    if (rc == CORR_INVALID) {
        fprintf(stderr, "%s: no such file\n", tool->template);
    }

    if (rc != CORR_OK) {
        return NULL;
    }

    set = corr_templates_create(tool->alloc, CORR_TEMPLATE_SPEC,
                                corr_tool_partial, tool);
    if (set == NULL) {
        fprintf(stderr, "out of memory\n");
        return NULL;
    }

    template = corr_template_compile(set, corr_cstr(tool->template), text,
                                     &error);
    if (template == NULL) {
        fprintf(stderr, "%.*s:%u: %s\n", (int) error.name.len,
                error.name.data, error.line, error.text);
    }

    return template;
}


static int
corr_tool_render(corr_tool_t *tool, const char *path)
{
    int                     rc;
    corr_sink_t             sink = { corr_tool_write, corr_tool_write,
                                     stdout };
    corr_render_t           r;
    const corr_view_t      *view;
    const corr_template_t  *template;

    template = corr_tool_template(tool);
    if (template == NULL) {
        return 1;
    }

    view = corr_tool_data(tool, path);
    if (view == NULL) {
        return 1;
    }

    memset(&r, 0, sizeof(corr_render_t));
    r.label = corr_tool_label;
    r.label_data = tool;
    r.now = (int64_t) time(NULL) * CORR_USEC;
    r.utc_offset = CORR_TEHRAN_OFFSET;
    r.limit = CORR_RENDER_OUTPUT;

    rc = corr_template_render(template, &r, view, NULL, &sink);

    if (rc == CORR_OK && fflush(stdout) == 0) {
        return 0;
    }

    fprintf(stderr, "%s: %s\n", tool->template,
            (rc == CORR_LIMIT) ? "the rendering is too large or too deep"
                               : "the rendering failed");
    return 1;
}


int
main(int argc, char **argv)
{
    int            status;
    corr_tool_t    tool;
    corr_arena_t  *arena;

    if (argc != 3) {
        fprintf(stderr, "usage: corr-render TEMPLATE DATA.json\n");
        return 2;
    }

    arena = corr_arena_create(0);
    if (arena == NULL) {
        fprintf(stderr, "out of memory\n");
        return 1;
    }

    tool.alloc = corr_arena_alloc(arena);
    tool.template = argv[1];
    tool.messages = NULL;

    status = corr_tool_render(&tool, argv[2]);

    corr_arena_destroy(arena);

    return status;
}
