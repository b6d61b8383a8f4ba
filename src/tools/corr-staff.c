/*
 * What staff_create_ready() needs for a member of staff who can log in at
 * once: made outside the portal, with its own key file.
 *
 *     corr-staff KEY_FILE USER_NAME < PASSWORD
 *
 * prints one line of JSON: password_hash (argon2id), totp_encrypted (hex, for
 * staff.totp_secret) and totp_secret (base32, for an authenticator).
 */

#include "../services/passwords.h"
#include "../services/totp.h"

#include <stdio.h>
#include <string.h>


static size_t corr_staff_password(char *password, size_t size);
static int corr_staff_print(const corr_secrets_t *secrets, corr_str_t name,
    const char *hash);


int
main(int argc, char **argv)
{
    int                     rc;
    char                    error[CORR_SERVICE_ERROR];
    char                    hash[CORR_PASSWORD_HASH];
    char                    password[CORR_PASSWORD_BYTES + 2];
    const char             *path;
    corr_str_t              text, name;
    corr_secrets_t         *secrets;
    corr_passwords_t       *passwords;
    corr_passwords_conf_t   conf = { CORR_PASSWORD_LEAST,
                                        CORR_PASSWORD_MEMORY,
                                        CORR_PASSWORD_PASSES, NULL };

    if (argc != 3 || argv[2][0] == '\0'
        || strspn(argv[2], "abcdefghijklmnopqrstuvwxyz0123456789._-")
           != strlen(argv[2]))
    {
        fprintf(stderr, "usage: corr-staff KEY_FILE USER_NAME < PASSWORD\n"
                "(user names are small letters, digits, . _ -)\n");
        return 2;
    }

    path = argv[1];
    name = corr_cstr(argv[2]);

    secrets = corr_secrets_load(&path, 1, error);
    passwords = secrets ? corr_passwords_load(&conf, error) : NULL;

    if (passwords == NULL) {
        fprintf(stderr, "corr-staff: %s\n", error);
        corr_secrets_free(secrets);
        return 1;
    }

    text = corr_make_str(password,
                         corr_staff_password(password, sizeof(password)));

    if (corr_password_check(passwords, text, &name, 1) != CORR_PASSWORD_OK
        || corr_password_make(passwords, text, hash) != CORR_OK)
    {
        fprintf(stderr, "corr-staff: this password is not acceptable\n");
        rc = 1;

    } else {
        rc = corr_staff_print(secrets, name, hash);
    }

    corr_secrets_wipe(password, sizeof(password));
    corr_passwords_free(passwords);
    corr_secrets_free(secrets);

    return rc;
}


/* One line of standard input, without its end. */

static size_t
corr_staff_password(char *password, size_t size)
{
    size_t  len;

    len = fread(password, 1, size, stdin);

    if (len && password[len - 1] == '\n') {
        len--;
    }

    return len;
}


static int
corr_staff_print(const corr_secrets_t *secrets, corr_str_t name,
    const char *hash)
{
    size_t         len;
    unsigned char  secret[CORR_TOTP_SECRET], base32[CORR_TOTP_BASE32];
    unsigned char  sealed[CORR_TOTP_SEALED], hex[2 * CORR_TOTP_SEALED];

    corr_totp_secret(secret);
    corr_totp_seal(secrets, name, secret, sealed);
    corr_secrets_hex(sealed, sizeof(sealed), hex);

    len = corr_totp_base32(secret, sizeof(secret), base32);

    printf("{\"username\":\"%.*s\",\"password_hash\":\"%s\","
           "\"totp_encrypted\":\"%.*s\",\"totp_secret\":\"%.*s\"}\n",
           (int) name.len, (char *) name.data, hash,
           (int) sizeof(hex), (char *) hex, (int) len, (char *) base32);

    corr_secrets_wipe(secret, sizeof(secret));
    corr_secrets_wipe(base32, sizeof(base32));

    return fflush(stdout) == 0 ? 0 : 1;
}
