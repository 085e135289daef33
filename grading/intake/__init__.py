"""What lies in a folder of submissions, whoever packed it: its entries, and whose each is.

    entries   folders and archives: the files of each entry, within bounds
    owners    whose an entry is, as its name tells; which entries are one hand-in
    reports   a report in it, read where it lies

Nothing of what students wrote is read here.
"""
