#!/usr/bin/perl

# The same under TLS, in HTTP/2, as people will have it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Portal::Chromium;

Portal::Chromium->run('main_job', tls => 1);
