/* SPDX-License-Identifier: MIT */
/* The program: a run, a reflector or a comparison, as the command line says. */
#include <signal.h>
#include <stdio.h>

#include "tools/ixlat/result/compare.h"
#include "ixlat.h"
#include "bridge/service/option_table.h"
#include "bridge/service/streams.h"
#include "tools/ixlat/result/outfile.h"
#include "tools/ixlat/result/plot.h"
#include "tools/ixlat/measure/reflect.h"
#include "tools/ixlat/result/result.h"
#include "tools/ixlat/measure/run.h"
#include "sink.h"
#include "tools/ixtap/output.h"

struct outputs {
	struct outfile json, hgrm, plot;
};

static int open_outputs(struct outputs *outputs, const struct ixlat_options *options)
{
	*outputs = (struct outputs){0};
	if (options->plot && plot_check())
		return -1;
	if (outfile_open(&outputs->json, options->json) ||
	    outfile_open(&outputs->hgrm, options->hgrm) ||
	    outfile_open(&outputs->plot, options->plot))
		return -1;
	return 0;
}

static int write_hgrm(struct outfile *outfile, const struct result *result)
{
	if (outfile_begin(outfile))
		return -1;
	histogram_write_hgrm(&result->times[RESULT_RTT], 1000, outfile->file);
	return outfile_commit(outfile);
}

static int draw(struct outfile *outfile, const struct result *result,
		const struct ixlat_options *options)
{
	static const char *const labels[] = {
		[RESULT_RTT] = "round trip",
		[RESULT_UNCORRECTED] = "round trip, uncorrected",
		[RESULT_FORWARD] = "there",
		[RESULT_RETURN] = "back",
	};
	struct plot_line lines[RESULT_TIMES];
	size_t count = 0;
	char label[64];

	for (size_t i = 0; i < RESULT_TIMES; i++)
		if (result->times[i].counters)
			lines[count++] = (struct plot_line){labels[i], &result->times[i]};
	if (plot_write(outfile, result_label(options, label, sizeof(label)), lines, count))
		return -1;
	return outfile_commit(outfile);
}

/* When one output fails the others are still written. */
static int write_outputs(struct outputs *outputs, const struct result *result,
			 const struct ixlat_options *options)
{
	int err = 0;

	if (outputs->json.file != stdout)
		summary_write(result, options);
	if (outputs->json.path && outfile_json(&outputs->json, result_json(result, options)))
		err = -1;
	if (outputs->hgrm.path && write_hgrm(&outputs->hgrm, result))
		err = -1;
	if (outputs->plot.path && draw(&outputs->plot, result, options))
		err = -1;
	return err;
}

static int run(const struct ixlat_options *options)
{
	struct outputs outputs;
	struct result result;
	int err = open_outputs(&outputs, options);

	if (!err)
		err = result_init(&result, options);
	if (!err) {
		err = run_probes(options, &result);
		if (!err)
			err = write_outputs(&outputs, &result, options);
		result_free(&result);
	}
	outfile_abandon(&outputs.json);
	outfile_abandon(&outputs.hgrm);
	outfile_abandon(&outputs.plot);
	return err;
}

int main(int argc, char *argv[])
{
	struct ixlat_options options;
	struct ixgbe_why why;
	int err;

	if (ixlat_options_parse(&options, argc, argv, &why))
		option_usage_exit(&why);
	sinks_install();
	output_init();
	/* Files are to be written even when the reader of a pipe on standard output has gone. */
	signal(SIGPIPE, SIG_IGN);
	if (options.command == COMMAND_COMPARE)
		err = compare_runs(&options);
	else if (options.command == COMMAND_RUN)
		err = run(&options);
	else
		err = options.mode == MODE_TCP ? reflect_tcp(&options)
					       : reflect_datagrams(&options);
	if (!err)
		err = streams_end();
	return err ? STATUS_FAILED : 0;
}
