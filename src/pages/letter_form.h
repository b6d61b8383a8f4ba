/*
 * The letter's form, which is sent in two ways: at once (letters.c), or
 * through the page that shows what was written (drafts.c).  Both begin with
 *
 *     corr_letter_receive,      what is known: this form's result, its draft
 *                               (at once: corr_letter_take)
 *     corr_letter_check,        fields, files, captcha
 *     corr_letter_company,      the company's gateway
 *
 * and show a refused form again with corr_letter_again_steps, which keep
 * the files that passed, as a draft.
 */

#ifndef CORR_PAGES_LETTER_FORM_H
#define CORR_PAGES_LETTER_FORM_H

#include "shared.h"

#include "../services/gateway.h"


typedef struct {
    corr_str_t                    key;          /* submission_key */
    corr_str_t                    draft;        /* its id; empty: none */
    corr_str_t                    keep;         /* JSON list of the draft's
                                                   files that stay; data
                                                   NULL: all */
    ngx_uint_t                    nkept;
    corr_str_t                    company;      /* its name */
    corr_gateway_op_t            *call;         /* of the gateway */
    corr_redis_op_t              *left;         /* see letter_left.h */
    unsigned                      unlooked:1;   /* its key is not known to be
                                                   a new one */
    unsigned                      drafted:1;    /* fields are the draft's */
    unsigned                      answered:1;   /* the draft has passed the
                                                   check and its captcha */
    unsigned                      legal:1;
    unsigned                      company_checked:1;
    unsigned                      company_silent:1;  /* asked, no answer:
                                                        asked again later */
} corr_letter_form_t;


ngx_int_t corr_letter_receive(corr_page_t *p);
ngx_int_t corr_letter_take(corr_page_t *p);
ngx_int_t corr_letter_check(corr_page_t *p);
ngx_int_t corr_letter_company(corr_page_t *p);

/* p->data of these pages. */
corr_letter_form_t *corr_letter_form(corr_page_t *p);

/*
 * What the form says as a JSON object for draft_save().  checked: the
 * values after checking, and that they were; else as typed.
 */
corr_str_t corr_letter_json(corr_page_t *p, ngx_uint_t checked);

/* Adds draft_save of all that to the pipeline, with the evidence. */
void corr_letter_draft_save(corr_page_t *p, ngx_uint_t checked);

/* Adds what the company's gateway said, if it was asked. */
void corr_letter_evidence(corr_page_t *p);

/*
 * Refusals that both ways answer alike: the draft is gone.  For
 * corr_db_on_refusal().
 */
ngx_int_t corr_letter_refused(corr_page_t *p, const char *sqlstate,
    corr_str_t message, corr_str_t detail);


#endif /* CORR_PAGES_LETTER_FORM_H */
