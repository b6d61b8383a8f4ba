#!/usr/bin/perl

# All the ways of a citizen in Chromium; see ways.mjs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Portal::Chromium;

# Three codes in a row without the minute's wait between them.

Portal::Chromium->run('ways',
    http => "    correspondence_codes_per_address_hour 1000;\n"
          . "    correspondence_code_interval 0;\n");
