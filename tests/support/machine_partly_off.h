/**
 * A machine in hwloc's XML: two cores of two hardware threads, of which thread 3 is switched off. The cpuset
 * of the process allows thread 2 alone.
 */
#ifndef DT_TESTS_MACHINE_PARTLY_OFF_H
#define DT_TESTS_MACHINE_PARTLY_OFF_H

static const char machine_partly_off[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"
    "<topology version=\"2.0\">\n"
    "<object type=\"Machine\" os_index=\"0\" cpuset=\"0x7\" complete_cpuset=\"0xf\" allowed_cpuset=\"0x4\""
    " nodeset=\"0x1\" complete_nodeset=\"0x1\" allowed_nodeset=\"0x1\" gp_index=\"1\">\n"
    "<object type=\"NUMANode\" os_index=\"0\" cpuset=\"0x7\" complete_cpuset=\"0xf\" nodeset=\"0x1\""
    " complete_nodeset=\"0x1\" gp_index=\"2\"/>\n"
    "<object type=\"Package\" os_index=\"0\" cpuset=\"0x7\" complete_cpuset=\"0xf\" nodeset=\"0x1\""
    " complete_nodeset=\"0x1\" gp_index=\"3\"><info name=\"CPUModel\" value=\"A processor\"/>\n"
    "<object type=\"Core\" os_index=\"0\" cpuset=\"0x3\" complete_cpuset=\"0x3\" nodeset=\"0x1\""
    " complete_nodeset=\"0x1\" gp_index=\"4\">\n"
    "<object type=\"PU\" os_index=\"0\" cpuset=\"0x1\" complete_cpuset=\"0x1\" nodeset=\"0x1\""
    " complete_nodeset=\"0x1\" gp_index=\"5\"/>\n"
    "<object type=\"PU\" os_index=\"1\" cpuset=\"0x2\" complete_cpuset=\"0x2\" nodeset=\"0x1\""
    " complete_nodeset=\"0x1\" gp_index=\"6\"/>\n"
    "</object>\n"
    "<object type=\"Core\" os_index=\"1\" cpuset=\"0x4\" complete_cpuset=\"0xc\" nodeset=\"0x1\""
    " complete_nodeset=\"0x1\" gp_index=\"7\">\n"
    "<object type=\"PU\" os_index=\"2\" cpuset=\"0x4\" complete_cpuset=\"0x4\" nodeset=\"0x1\""
    " complete_nodeset=\"0x1\" gp_index=\"8\"/>\n"
    "</object>\n</object>\n</object>\n</topology>\n";

#endif
