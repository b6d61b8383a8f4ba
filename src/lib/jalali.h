/*
 * The Jalali calendar, 1244..1501, by the 33-year rule: year y is leap when
 * (25 y + 11) mod 33 < 8.  In that range the rule and the astronomical
 * calendar (ICU 78) agree on every year.
 *
 * Days are counted from 1970-01-01 (= 1348/10/11), times are microseconds
 * since 1970-01-01 UTC.  Tehran keeps UTC+03:30 without summer time since
 * 1401, so a zone is one number of seconds.
 */

#ifndef CORR_JALALI_H
#define CORR_JALALI_H

#include "base.h"


#define CORR_JALALI_FIRST    1244
#define CORR_JALALI_LAST     1501

#define CORR_TEHRAN_OFFSET   12600              /* seconds east of UTC */

#define CORR_USEC            1000000LL
#define CORR_DAY_USEC        (86400 * CORR_USEC)


typedef struct {
    int                      year;
    int                      month;             /* 1..12 */
    int                      day;               /* 1..31 */
} corr_date_t;


typedef struct {
    int64_t                  days;              /* local day */
    corr_date_t              jalali;
    corr_date_t              gregorian;
    int                      weekday;           /* 0 Saturday .. 6 Friday */
    int                      hour;
    int                      minute;
    int                      second;
    int                      usec;
} corr_moment_t;


int corr_jalali_leap(int year);

/* 29..31, or 0 when there is no such year or month. */
int corr_jalali_month_days(int year, int month);

/* CORR_INVALID when the date does not exist or is out of range. */
int corr_jalali_to_days(corr_date_t date, int64_t *days);
int corr_jalali_from_days(int64_t days, corr_date_t *date);

/* Proleptic Gregorian, years 1..9999; for machine forms of a date. */
int corr_gregorian_to_days(corr_date_t date, int64_t *days);
int corr_gregorian_from_days(int64_t days, corr_date_t *date);

/* 0 Saturday .. 6 Friday. */
int corr_weekday(int64_t days);

/* The local day that holds the instant, and the instant that begins a local
   day; offset in seconds. */
int64_t corr_local_day(int64_t usec, int offset);
int64_t corr_day_start(int64_t days, int offset);

/* An instant as a wall clock shows it.  CORR_INVALID out of range. */
int corr_moment(int64_t usec, int offset, corr_moment_t *m);

/*
 * A date as typed, "1405/9/1" or "1405-09-01" in any digit family (filters
 * of lists).  CORR_INVALID when it is none, or does not exist.
 */
int corr_jalali_parse(corr_str_t s, int64_t *days);


#endif /* CORR_JALALI_H */
