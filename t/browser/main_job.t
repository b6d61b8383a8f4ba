#!/usr/bin/perl

# The whole of the main job in Chromium; see main_job.mjs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Portal::Chromium;

Portal::Chromium->run('main_job');
