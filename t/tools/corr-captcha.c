/*
 * What a captcha shows, for tests that have its portal's key file:
 *
 *     corr-captcha KEY_FILE HOW_MANY ID
 */

#include "../../src/services/captcha.h"

#include <stdio.h>
#include <stdlib.h>


int
main(int argc, char **argv)
{
    size_t            n;
    char              error[CORR_SERVICE_ERROR];
    const char       *path;
    unsigned char     digits[CORR_CAPTCHA_MAX];
    corr_captcha_t   *captcha;
    corr_secrets_t   *secrets;

    if (argc != 4) {
        fprintf(stderr, "usage: corr-captcha KEY_FILE HOW_MANY ID\n");
        return 2;
    }

    path = argv[1];
    secrets = corr_secrets_load(&path, 1, error);
    captcha = secrets ? corr_captcha_load(secrets, "html/voice",
                                          (size_t) atoi(argv[2]), error)
                      : NULL;

    if (captcha == NULL) {
        fprintf(stderr, "corr-captcha: %s\n", error);
        corr_secrets_free(secrets);
        return 1;
    }

    n = corr_captcha_digits(captcha, corr_cstr(argv[3]), digits);
    printf("%.*s\n", (int) n, (char *) digits);

    corr_captcha_free(captcha);
    corr_secrets_free(secrets);

    return 0;
}
