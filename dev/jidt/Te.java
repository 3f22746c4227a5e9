import infodynamics.measures.continuous.ConditionalTransferEntropyCalculator;
import infodynamics.measures.continuous.TransferEntropyCalculator;
import infodynamics.measures.continuous.gaussian.*;
import infodynamics.measures.continuous.kraskov.*;
import java.nio.*;
import java.nio.file.*;
import java.util.Scanner;

/**
 * Transfer entropy by JIDT, for dev/transfer_entropy_random.py and benches/transfer_entropy/run.py.
 *
 * Each line of standard input is `ESTIMATOR k k_tau l l_tau delay K theiler algorithm threads FILE`; FILE holds little-endian doubles: the
 * source, the target and, where there are three columns, a condition, one after the other, and before them the number of columns.
 * Answers one line each: nats, the p-value (gaussian), CPU seconds.
 */
class Te {
    public static void main(String[] arguments) throws Exception {
        Scanner lines = new Scanner(System.in);
        while (lines.hasNextLine()) {
            String[] word = lines.nextLine().split(" ");
            int[] n = new int[10];
            for (int at = 1; at < 10; at++) n[at] = Integer.parseInt(word[at]);
            double[][] x = read(word[10]);
            long start = cpu();
            double p = Double.NaN, value;
            boolean ksg = word[0].equals("ksg");
            if (x.length == 2) {
                TransferEntropyCalculator te = ksg ? new TransferEntropyCalculatorKraskov() : new TransferEntropyCalculatorGaussian();
                if (ksg) { te.setProperty("ALG_NUM", word[8]); properties(te, word); }
                String[] names = {"k_HISTORY", "k_TAU", "l_HISTORY", "l_TAU", "DELAY"};
                for (int at = 0; at < names.length; at++) te.setProperty(names[at], word[at + 1]);
                te.initialise();
                te.setObservations(x[0], x[1]);
                value = te.computeAverageLocalOfObservations();
                if (!ksg) p = ((TransferEntropyCalculatorGaussian) te).computeSignificance().pValue;
            } else {
                ConditionalTransferEntropyCalculator te =
                    ksg ? new ConditionalTransferEntropyCalculatorKraskov() : new ConditionalTransferEntropyCalculatorGaussian();
                if (ksg) { te.setProperty("ALG_NUM", word[8]); properties(te, word); }
                te.initialise(n[1], n[2], n[3], n[4], n[5], 1, 1, 1);
                te.setObservations(x[0], x[1], x[2]);
                value = te.computeAverageLocalOfObservations();
                if (!ksg) p = ((ConditionalTransferEntropyCalculatorGaussian) te).computeSignificance().pValue;
            }
            System.out.println(value + " " + p + " " + (cpu() - start) / 1e9);
        }
    }

    interface Settable { void setProperty(String name, String value) throws Exception; }

    static void properties(Object te, String[] word) throws Exception {
        Settable set = (name, value) -> {
            if (te instanceof TransferEntropyCalculator) ((TransferEntropyCalculator) te).setProperty(name, value);
            else ((ConditionalTransferEntropyCalculator) te).setProperty(name, value);
        };
        set.setProperty("NORMALISE", "false");
        set.setProperty("NOISE_LEVEL_TO_ADD", "0");
        set.setProperty("k", word[6]);
        set.setProperty("DYN_CORR_EXCL", word[7]);
        set.setProperty("NUM_THREADS", word[9]);
    }

    static double[][] read(String file) throws Exception {
        DoubleBuffer all = ByteBuffer.wrap(Files.readAllBytes(Paths.get(file))).order(ByteOrder.LITTLE_ENDIAN).asDoubleBuffer();
        int columns = (int) all.get();
        double[][] x = new double[columns][all.remaining() / columns];
        for (double[] column : x) all.get(column);
        return x;
    }

    static long cpu() {
        return ((com.sun.management.OperatingSystemMXBean) java.lang.management.ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }
}
