/*
 * What the fuzz targets share: the library's memory from an arena, and a
 * property that must hold.
 */

#ifndef CORR_FUZZ_H
#define CORR_FUZZ_H

#include "base.h"

#include <stdio.h>
#include <stdlib.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


#define must(what)                                                            \
    do {                                                                      \
        if (!(what)) {                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);        \
            abort();                                                          \
        }                                                                     \
    } while (0)


#endif /* CORR_FUZZ_H */
