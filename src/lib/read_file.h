/*
 * Small files that the configuration names, read whole or not at all: keys,
 * passwords.  Plain files only.
 */

#ifndef CORR_READ_FILE_H
#define CORR_READ_FILE_H

#include "base.h"


/* Others may neither read nor write it, nor its group write. */
#define CORR_READ_SECRET    1

/*
 * Line ends at its end do not belong to it.  Then it may not be empty, nor
 * end with a blank (who would see it?), nor hold a NUL.
 */
#define CORR_READ_TEXT      2


/*
 * At most `max` bytes into data, which has room for one more; returns how
 * many, or -1 with the reason.  Blocks: when the configuration is read.
 */
long corr_read_file(const char *path, unsigned flags, unsigned char *data,
    size_t max, const char **reason);


#endif /* CORR_READ_FILE_H */
