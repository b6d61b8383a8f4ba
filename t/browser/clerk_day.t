#!/usr/bin/perl

# A day of the secretariat in Chromium; see clerk_day.mjs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Portal::Chromium;

Portal::Chromium->run('clerk_day');
