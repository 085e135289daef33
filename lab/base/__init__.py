"""What everything else stands on.

    files     written whole or not at all, read with their damage noticed
    encodings in which encoding a file is: told from it, named, or asked
    foreign   tables of other programs: read as they are, written back in their own form
    hashing   digests of data and code: what makes a run the same run
    source    the source of what runs, and what its names mean
    machine   cores, device, threads; what a record says of them
    messages  data until they are shown, and then said in the reader's language

May import `lab.config` alone.
"""
