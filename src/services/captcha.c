/*
 * The security code: a picture of Persian digits, and the same spoken.
 *
 * The digits are polygons: they are bent as polygons, so their edges stay
 * clean, and no font is read in a worker.
 */

#include "captcha.h"
#include "captcha_digits.h"
#include "../lib/digits.h"

#include <errno.h>
#include <gd.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>


#define CORR_CAPTCHA_SCALE     3        /* drawn larger, then averaged */
#define CORR_CAPTCHA_GREYS     16
#define CORR_CAPTCHA_POINTS    256      /* of one contour */
#define CORR_CAPTCHA_LINES     4
#define CORR_CAPTCHA_DOTS      60
#define CORR_CAPTCHA_RANDOM    128      /* derived digits, zeros dropped */

#define CORR_VOICE_RATE        8000     /* samples a second */
#define CORR_VOICE_MAX         (3 * CORR_VOICE_RATE)
#define CORR_VOICE_HEAD        44       /* bytes before the samples */
#define CORR_VOICE_SILENCE     128      /* the middle of 8 bits */


typedef struct {
    unsigned char            samples[CORR_VOICE_MAX];
    size_t                   n;
} corr_voice_t;


struct corr_captcha_s {
    const corr_secrets_t    *secrets;
    size_t                   digits;
    corr_voice_t             voices[10];
};


/* xorshift64*: for looks only, seeded from the key file. */

typedef struct {
    uint64_t                 state;
} corr_dice_t;


/* How one digit stands in the picture, and how the picture is bent. */

typedef struct {
    double                   x, y, scale, sin, cos;
    double                   wave_x, wave_y, length_x, length_y;
    double                   phase_x, phase_y;
} corr_pose_t;


static int corr_voice_load(const char *path, corr_voice_t *voice,
    char *error);
static int corr_voice_parse(const unsigned char *data, size_t size,
    corr_voice_t *voice);
static uint32_t corr_voice_number(const unsigned char *p, unsigned bytes);
static size_t corr_captcha_digits_of(const corr_captcha_t *captcha,
    size_t file, corr_str_t id, unsigned char digits[CORR_CAPTCHA_MAX]);
static int corr_captcha_shown(const corr_captcha_t *captcha, corr_str_t id,
    corr_str_t typed);
static void corr_dice_seed(const corr_captcha_t *captcha, corr_str_t id,
    const char *use, corr_dice_t *dice);
static double corr_dice(corr_dice_t *dice, double from, double to);
static int corr_captcha_png(const corr_captcha_t *captcha, corr_str_t id,
    corr_str_t *out);
static void corr_captcha_digits_draw(gdImagePtr image,
    const unsigned char *digits, size_t n, corr_dice_t *dice);
static int corr_captcha_room(gdImagePtr image);
static void corr_captcha_digit_draw(gdImagePtr image, unsigned digit,
    const corr_pose_t *pose);
static gdPoint corr_captcha_bend(const corr_pose_t *pose, double x, double y);
static void corr_captcha_noise(gdImagePtr image, corr_dice_t *dice);
static gdImagePtr corr_captcha_average(gdImagePtr large);
static int corr_captcha_encode(gdImagePtr image, corr_str_t *out);
static int corr_captcha_wav(const corr_captcha_t *captcha, corr_str_t id,
    corr_str_t *out);
static size_t corr_captcha_say(const corr_voice_t *voice, double speed,
    double volume, unsigned char *out);
static void corr_captcha_wav_head(unsigned char *p, size_t samples);


corr_captcha_t *
corr_captcha_load(const corr_secrets_t *secrets, const char *voice,
    size_t digits, char error[CORR_SERVICE_ERROR])
{
    int              digit;
    char             path[4096];
    corr_captcha_t  *captcha;

    error[0] = '\0';

    if (digits < CORR_CAPTCHA_MIN || digits > CORR_CAPTCHA_MAX) {
        snprintf(error, CORR_SERVICE_ERROR,
                 "a captcha has %d to %d digits", CORR_CAPTCHA_MIN,
                 CORR_CAPTCHA_MAX);
        return NULL;
    }

    captcha = calloc(1, sizeof(corr_captcha_t));

    if (captcha == NULL) {
        snprintf(error, CORR_SERVICE_ERROR, "no memory");
        return NULL;
    }

    captcha->secrets = secrets;
    captcha->digits = digits;

    for (digit = 0; digit < 10; digit++) {

        snprintf(path, sizeof(path), "%s/%d.wav", voice, digit);

        if (corr_voice_load(path, &captcha->voices[digit], error) != CORR_OK)
        {
            free(captcha);
            return NULL;
        }
    }

    return captcha;
}


void
corr_captcha_free(corr_captcha_t *captcha)
{
    free(captcha);
}


static int
corr_voice_load(const char *path, corr_voice_t *voice, char *error)
{
    FILE           *file;
    size_t          size;
    unsigned char   data[CORR_VOICE_MAX + 4096];

    file = fopen(path, "re");

    if (file == NULL) {
        snprintf(error, CORR_SERVICE_ERROR, "\"%.150s\": %s", path,
                 strerror(errno));
        return CORR_ERROR;
    }

    size = fread(data, 1, sizeof(data), file);
    fclose(file);

    if (corr_voice_parse(data, size, voice) != CORR_OK) {
        snprintf(error, CORR_SERVICE_ERROR,
                 "\"%.120s\": is not a WAV file of 8 kHz, mono, 8 bits and "
                 "three seconds at the most", path);
        return CORR_INVALID;
    }

    return CORR_OK;
}


/* RIFF: chunks of a name, a length and, to an even length, bytes. */

static int
corr_voice_parse(const unsigned char *data, size_t size, corr_voice_t *voice)
{
    int                   known;
    size_t                len;
    const unsigned char  *p, *last;

    if (size < 12 || memcmp(data, "RIFF", 4) != 0
        || memcmp(data + 8, "WAVE", 4) != 0)
    {
        return CORR_INVALID;
    }

    known = 0;
    last = data + size;

    for (p = data + 12; last - p >= 8; p += 8 + len + (len & 1)) {

        len = corr_voice_number(p + 4, 4);

        if (len > (size_t) (last - p) - 8) {
            return CORR_INVALID;
        }

        if (memcmp(p, "fmt ", 4) == 0 && len >= 16) {
            known = corr_voice_number(p + 8, 2) == 1
                    && corr_voice_number(p + 10, 2) == 1
                    && corr_voice_number(p + 12, 4) == CORR_VOICE_RATE
                    && corr_voice_number(p + 22, 2) == 8;
        }

        if (memcmp(p, "data", 4) == 0) {

            if (!known || len == 0 || len > CORR_VOICE_MAX) {
                return CORR_INVALID;
            }

            memcpy(voice->samples, p + 8, len);
            voice->n = len;

            return CORR_OK;
        }

        if (len + 1 >= (size_t) (last - p) - 8) {
            break;
        }
    }

    return CORR_INVALID;
}


static uint32_t
corr_voice_number(const unsigned char *p, unsigned bytes)
{
    uint32_t  n;

    for (n = 0; bytes; bytes--) {
        n = (n << 8) | p[bytes - 1];
    }

    return n;
}


/* Ids and answers. */

void
corr_captcha_new(unsigned char id[CORR_CAPTCHA_ID])
{
    char           text[CORR_CAPTCHA_ID + 1];
    unsigned char  raw[16];

    corr_secrets_random(raw, sizeof(raw));

    sodium_bin2base64(text, sizeof(text), raw, sizeof(raw),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);

    memcpy(id, text, CORR_CAPTCHA_ID);
}


int
corr_captcha_is_id(corr_str_t id)
{
    size_t         i;
    unsigned char  c;

    if (id.len != CORR_CAPTCHA_ID) {
        return 0;
    }

    for (i = 0; i < id.len; i++) {
        c = id.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '-' || c == '_'))
        {
            return 0;
        }
    }

    return 1;
}


void
corr_captcha_key(corr_str_t id, unsigned char key[CORR_CAPTCHA_KEY])
{
    memcpy(key, "captcha:", CORR_CAPTCHA_KEY - CORR_CAPTCHA_ID);
    memcpy(key + CORR_CAPTCHA_KEY - CORR_CAPTCHA_ID, id.data,
           CORR_CAPTCHA_ID);
}


size_t
corr_captcha_digits(const corr_captcha_t *captcha, corr_str_t id,
    unsigned char digits[CORR_CAPTCHA_MAX])
{
    return corr_captcha_digits_of(captcha, 0, id, digits);
}


/* No zero: its Persian form is a dot, like the ones scattered around. */

static size_t
corr_captcha_digits_of(const corr_captcha_t *captcha, size_t file,
    corr_str_t id, unsigned char digits[CORR_CAPTCHA_MAX])
{
    size_t         i, n;
    corr_str_t     parts[2];
    unsigned char  many[CORR_CAPTCHA_RANDOM];

    parts[0] = CORR_STR("digits");
    parts[1] = id;

    corr_secrets_derive_digits(captcha->secrets, file, CORR_KEY_CAPTCHA,
                               parts, 2, many, sizeof(many));

    n = 0;

    for (i = 0; i < sizeof(many) && n < captcha->digits; i++) {
        if (many[i] != '0') {
            digits[n++] = many[i];
        }
    }

    return n;
}


int
corr_captcha_right(const corr_captcha_t *captcha, corr_str_t id,
    corr_str_t answer)
{
    int                   digit;
    size_t                n, size;
    unsigned char         typed[CORR_CAPTCHA_MAX];
    const unsigned char  *p, *last;

    if (!corr_captcha_is_id(id)) {
        return 0;
    }

    n = 0;
    p = answer.data;
    last = answer.data + answer.len;

    while (p < last) {
        digit = corr_digit_at(p, last, &size);

        if (digit >= 0) {
            if (n == CORR_CAPTCHA_MAX) {
                return 0;
            }

            typed[n++] = (unsigned char) ('0' + digit);
            p += size;
            continue;
        }

        if (*p != ' ' && *p != '\t') {
            return 0;
        }

        p++;
    }

    return corr_captcha_shown(captcha, id, corr_make_str(typed, n));
}


/* The key may have changed since the picture was drawn. */

static int
corr_captcha_shown(const corr_captcha_t *captcha, corr_str_t id,
    corr_str_t typed)
{
    int            right;
    size_t         i, n;
    unsigned char  digits[CORR_CAPTCHA_MAX];

    right = 0;

    for (i = 0; i < corr_secrets_count(captcha->secrets); i++) {
        n = corr_captcha_digits_of(captcha, i, id, digits);
        right |= corr_secrets_equal(typed, corr_make_str(digits, n));
    }

    return right;
}


int
corr_captcha_make(const corr_captcha_t *captcha, corr_captcha_form_e form,
    corr_str_t id, corr_str_t *out)
{
    return form == CORR_CAPTCHA_WAV ? corr_captcha_wav(captcha, id, out)
                                    : corr_captcha_png(captcha, id, out);
}


static void
corr_dice_seed(const corr_captcha_t *captcha, corr_str_t id, const char *use,
    corr_dice_t *dice)
{
    corr_str_t     parts[2];
    unsigned char  mac[CORR_SECRETS_MAC];

    parts[0] = corr_cstr(use);
    parts[1] = id;

    corr_secrets_mac(captcha->secrets, CORR_KEY_CAPTCHA, parts, 2, mac);

    memcpy(&dice->state, mac, sizeof(dice->state));
    dice->state |= 1;
}


static double
corr_dice(corr_dice_t *dice, double from, double to)
{
    uint64_t  x;

    x = dice->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    dice->state = x;

    x *= 0x2545f4914f6cdd1dULL;

    return from + (to - from) * (double) (x >> 11) / 9007199254740992.0;
}


/* The picture. */

static int
corr_captcha_png(const corr_captcha_t *captcha, corr_str_t id,
    corr_str_t *out)
{
    int            rc;
    size_t         n;
    gdImagePtr     large, small;
    corr_dice_t    dice;
    unsigned char  digits[CORR_CAPTCHA_MAX];

    n = corr_captcha_digits(captcha, id, digits);
    corr_dice_seed(captcha, id, "picture", &dice);

    large = gdImageCreate(CORR_CAPTCHA_WIDTH * CORR_CAPTCHA_SCALE,
                          CORR_CAPTCHA_HEIGHT * CORR_CAPTCHA_SCALE);
    if (large == NULL) {
        return CORR_ERROR;
    }

    /* colour 0, the first, is the paper's; 1 is the ink's */

    (void) gdImageColorAllocate(large, 255, 255, 255);
    (void) gdImageColorAllocate(large, 0, 0, 0);

    if (corr_captcha_room(large) != CORR_OK) {
        gdImageDestroy(large);
        return CORR_ERROR;
    }

    corr_captcha_digits_draw(large, digits, n, &dice);
    corr_captcha_noise(large, &dice);

    small = corr_captcha_average(large);
    gdImageDestroy(large);

    if (small == NULL) {
        return CORR_ERROR;
    }

    rc = corr_captcha_encode(small, out);
    gdImageDestroy(small);

    return rc;
}


static void
corr_captcha_digits_draw(gdImagePtr image, const unsigned char *digits,
    size_t n, corr_dice_t *dice)
{
    double                 angle, height, room, width;
    size_t                 i;
    unsigned               digit;
    corr_pose_t            pose;
    const corr_outline_t  *outline;

    width = CORR_CAPTCHA_WIDTH * CORR_CAPTCHA_SCALE;
    height = CORR_CAPTCHA_HEIGHT * CORR_CAPTCHA_SCALE;
    room = width * 0.92 / (double) n;

    /* one bend for the whole picture, so that neighbours bend together */

    pose.wave_x = corr_dice(dice, 0.02, 0.05) * height;
    pose.wave_y = corr_dice(dice, 0.04, 0.09) * height;
    pose.length_x = corr_dice(dice, 0.7, 1.2) * height;
    pose.length_y = corr_dice(dice, 1.1, 2.0) * height;
    pose.phase_x = corr_dice(dice, 0, 2 * M_PI);
    pose.phase_y = corr_dice(dice, 0, 2 * M_PI);

    for (i = 0; i < n; i++) {
        digit = (unsigned) (digits[i] - '0');
        outline = &corr_digit_outlines[digit];

        angle = corr_dice(dice, -0.3, 0.3);
        pose.sin = sin(angle);
        pose.cos = cos(angle);

        pose.scale = corr_dice(dice, 0.52, 0.66) * height
                     / (outline->top - outline->bottom);

        if (pose.scale * (outline->right - outline->left) > room * 0.95) {
            pose.scale = room * 0.95 / (outline->right - outline->left);
        }

        pose.x = width * 0.04 + room * ((double) i + 0.5)
                 + corr_dice(dice, -0.06, 0.06) * room;
        pose.y = height * corr_dice(dice, 0.44, 0.56);

        corr_captcha_digit_draw(image, digit, &pose);
    }
}


/*
 * gd keeps what a polygon needs and enlarges it for a larger one; when there
 * is no memory for that the next polygon meets a null pointer.  So the
 * largest comes first, outside of the picture.
 */

static int
corr_captcha_room(gdImagePtr image)
{
    int      i;
    gdPoint  points[CORR_CAPTCHA_POINTS];

    for (i = 0; i < CORR_CAPTCHA_POINTS; i++) {
        points[i].x = -1;
        points[i].y = -1;
    }

    gdImageFilledPolygon(image, points, CORR_CAPTCHA_POINTS, 0);

    return image->polyInts != NULL ? CORR_OK : CORR_ERROR;
}


/* Outer contours come first; what they enclose is paper again. */

static void
corr_captcha_digit_draw(gdImagePtr image, unsigned digit,
    const corr_pose_t *pose)
{
    int                    i, j;
    double                 middle_x, middle_y;
    gdPoint                points[CORR_CAPTCHA_POINTS];
    const corr_point_t    *point;
    const corr_contour_t  *contour;
    const corr_outline_t  *outline;

    outline = &corr_digit_outlines[digit];

    middle_x = (outline->left + outline->right) / 2.0;
    middle_y = (outline->bottom + outline->top) / 2.0;

    for (i = 0; i < outline->count; i++) {
        contour = &corr_digit_contours[outline->first + i];

        for (j = 0; j < contour->count && j < CORR_CAPTCHA_POINTS; j++) {
            point = &corr_digit_points[contour->first + j];

            points[j] = corr_captcha_bend(pose, point->x - middle_x,
                                          middle_y - point->y);
        }

        gdImageFilledPolygon(image, points, j, contour->hole ? 0 : 1);
    }
}


static gdPoint
corr_captcha_bend(const corr_pose_t *pose, double x, double y)
{
    double   dx, dy;
    gdPoint  point;

    dx = pose->x + pose->scale * (x * pose->cos - y * pose->sin);
    dy = pose->y + pose->scale * (x * pose->sin + y * pose->cos);

    point.x = (int) lround(dx + pose->wave_x
                           * sin(2 * M_PI * dy / pose->length_x
                                 + pose->phase_x));
    point.y = (int) lround(dy + pose->wave_y
                           * sin(2 * M_PI * dx / pose->length_y
                                 + pose->phase_y));

    return point;
}


/*
 * Thin strokes through the digits, in their own ink, so that no threshold
 * parts the one from the other; and dots much smaller than any digit.
 */

static void
corr_captcha_noise(gdImagePtr image, corr_dice_t *dice)
{
    int     i, x, width, height, from, to;
    double  amplitude, length, phase, tilt, y;

    width = CORR_CAPTCHA_WIDTH * CORR_CAPTCHA_SCALE;
    height = CORR_CAPTCHA_HEIGHT * CORR_CAPTCHA_SCALE;

    gdImageSetThickness(image, 2 * CORR_CAPTCHA_SCALE - 1);

    for (i = 0; i < CORR_CAPTCHA_LINES; i++) {
        amplitude = corr_dice(dice, 0.05, 0.22) * height;
        length = corr_dice(dice, 0.3, 0.9) * width;
        phase = corr_dice(dice, 0, 2 * M_PI);
        tilt = corr_dice(dice, -0.12, 0.12);
        y = corr_dice(dice, 0.25, 0.75) * height - tilt * width / 2;

        for (x = 0; x < width; x += 6) {
            from = (int) (y + tilt * x
                          + amplitude * sin(2 * M_PI * x / length + phase));
            to = (int) (y + tilt * (x + 6)
                        + amplitude * sin(2 * M_PI * (x + 6) / length
                                          + phase));

            gdImageLine(image, x, from, x + 6, to, 1);
        }
    }

    for (i = 0; i < CORR_CAPTCHA_DOTS; i++) {
        x = (int) corr_dice(dice, 0, width);
        y = corr_dice(dice, 0, height);

        gdImageFilledEllipse(image, x, (int) y, CORR_CAPTCHA_SCALE + 2,
                             CORR_CAPTCHA_SCALE + 2, 1);
    }
}


/* Each pixel is the share of ink in SCALE × SCALE of the large picture. */

static gdImagePtr
corr_captcha_average(gdImagePtr large)
{
    int         i, x, y, grey, ink, scale;
    gdImagePtr  small;

    small = gdImageCreate(CORR_CAPTCHA_WIDTH, CORR_CAPTCHA_HEIGHT);
    if (small == NULL) {
        return NULL;
    }

    for (i = 0; i < CORR_CAPTCHA_GREYS; i++) {
        grey = 255 - 255 * i / (CORR_CAPTCHA_GREYS - 1);
        (void) gdImageColorAllocate(small, grey, grey, grey);
    }

    scale = CORR_CAPTCHA_SCALE;

    for (y = 0; y < CORR_CAPTCHA_HEIGHT; y++) {
        for (x = 0; x < CORR_CAPTCHA_WIDTH; x++) {

            ink = 0;

            for (i = 0; i < scale * scale; i++) {
                ink += gdImagePalettePixel(large, x * scale + i % scale,
                                           y * scale + i / scale);
            }

            gdImagePalettePixel(small, x, y) = (unsigned char)
                      (ink * (CORR_CAPTCHA_GREYS - 1) / (scale * scale));
        }
    }

    return small;
}


static int
corr_captcha_encode(gdImagePtr image, corr_str_t *out)
{
    int    size;
    void  *png;

    png = gdImagePngPtrEx(image, &size, 9);
    if (png == NULL) {
        return CORR_ERROR;
    }

    /* not gd's own memory: the caller knows no gd */

    out->len = (size_t) size;
    out->data = malloc(out->len);

    if (out->data != NULL) {
        memcpy(out->data, png, out->len);
    }

    gdFree(png);

    return out->data != NULL ? CORR_OK : CORR_ERROR;
}


/* The sound. */

static int
corr_captcha_wav(const corr_captcha_t *captcha, corr_str_t id,
    corr_str_t *out)
{
    size_t               i, j, n, gap, room, samples;
    corr_dice_t          dice;
    unsigned char       *p, digits[CORR_CAPTCHA_MAX];
    const corr_voice_t  *voice;

    n = corr_captcha_digits(captcha, id, digits);
    corr_dice_seed(captcha, id, "sound", &dice);

    /* a word at nine tenths of its speed, and the longest gap behind it */

    room = CORR_VOICE_RATE;

    for (i = 0; i < n; i++) {
        room += captcha->voices[digits[i] - '0'].n * 5 / 4
                + CORR_VOICE_RATE;
    }

    out->data = malloc(CORR_VOICE_HEAD + room);
    if (out->data == NULL) {
        return CORR_ERROR;
    }

    p = out->data + CORR_VOICE_HEAD;
    memset(p, CORR_VOICE_SILENCE, room);

    samples = CORR_VOICE_RATE / 2;

    for (i = 0; i < n; i++) {
        voice = &captcha->voices[digits[i] - '0'];

        samples += corr_captcha_say(voice, corr_dice(&dice, 0.9, 1.12),
                                    corr_dice(&dice, 0.7, 0.95),
                                    p + samples);

        gap = (size_t) (corr_dice(&dice, 0.35, 0.8) * CORR_VOICE_RATE);
        samples += gap;
    }

    /* a hiss, a good deal quieter than the voice */

    for (j = 0; j < samples; j++) {
        p[j] = (unsigned char) (p[j] + (int) corr_dice(&dice, -5, 6));
    }

    corr_captcha_wav_head(out->data, samples);
    out->len = CORR_VOICE_HEAD + samples;

    return CORR_OK;
}


static size_t
corr_captcha_say(const corr_voice_t *voice, double speed, double volume,
    unsigned char *out)
{
    double  at, part, sample;
    size_t  i, n;

    n = (size_t) ((double) (voice->n - 1) / speed);

    for (i = 0; i < n; i++) {
        at = (double) i * speed;
        part = at - floor(at);

        sample = voice->samples[(size_t) at] * (1 - part)
                 + voice->samples[(size_t) at + 1] * part;

        out[i] = (unsigned char)
                 lround(CORR_VOICE_SILENCE
                        + (sample - CORR_VOICE_SILENCE) * volume);
    }

    return n;
}


static void
corr_captcha_wav_head(unsigned char *p, size_t samples)
{
    unsigned  i;
    uint32_t  data, riff;

    static const unsigned char  head[CORR_VOICE_HEAD] =
        "RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0"
        "\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0data\0\0\0";

    memcpy(p, head, CORR_VOICE_HEAD);

    data = (uint32_t) samples;
    riff = data + CORR_VOICE_HEAD - 8;

    for (i = 0; i < 4; i++) {
        p[4 + i] = (unsigned char) (riff >> (8 * i));
        p[40 + i] = (unsigned char) (data >> (8 * i));
    }
}
