#!/usr/bin/perl

# All the ways of a citizen in Chromium; see ways.mjs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Portal::Chromium;

# Three codes in a row without the minute's wait between them.

Portal::Chromium->run('ways',
    http => "    correspondence_codes_per_address_hour 1000;\n",
    sql => [ q{CREATE OR REPLACE FUNCTION correspondence.limit_int(
                   p_limits jsonb, p_name text, p_default integer)
               RETURNS integer LANGUAGE sql IMMUTABLE AS $$
                   SELECT CASE WHEN p_name = 'interval' THEN 0 ELSE
                       coalesce((p_limits ->> p_name)::integer, p_default)
                   END $$} ]);
