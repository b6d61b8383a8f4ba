/*
 * What a captcha shows, for tests that have to answer one:
 *
 *     captcha_answer KEY_FILE DIGITS ID
 *
 * Reading the picture would be the better oracle; that it cannot be done is
 * the point of it.
 */

#include "services/captcha.h"

#include <stdio.h>
#include <stdlib.h>


int
main(int argc, char **argv)
{
    char             error[CORR_SERVICE_ERROR];
    const char      *path;
    corr_captcha_t  *captcha;
    corr_secrets_t  *secrets;
    unsigned char    digits[CORR_CAPTCHA_MAX];
    size_t           n;

    if (argc != 4) {
        return 2;
    }

    path = argv[1];
    secrets = corr_secrets_load(&path, 1, error);

    captcha = secrets ? corr_captcha_load(secrets, "html/voice",
                                          (size_t) atoi(argv[2]), error)
                      : NULL;
    if (captcha == NULL) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }

    n = corr_captcha_digits(captcha, corr_cstr(argv[3]), digits);
    printf("%.*s\n", (int) n, (char *) digits);

    corr_captcha_free(captcha);
    corr_secrets_free(secrets);

    return 0;
}
