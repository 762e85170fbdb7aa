"""
Hosts that the scanner has not met yet: whoever wrote them, they get a row of ours.

Numbers of hosts grow, and are given by one writer at a time, so those above the last
number that was met are the new ones. Hosts that another program wrote have none.
"""

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    case,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
)

from ctmonitor.store.engine import Database
from ctmonitor.store.schema import (
    COUNTER,
    FOLLOWUP,
    HOST_COUNTER,
    HOST_ID,
    STOP_CHECKING,
)
from ctmonitor.store.visitrows import FREE, NEVER_VISITED

# Hosts that one transaction takes in; meanwhile other writers wait.
_HOSTS_AT_ONCE = 20_000


def is_followed(table: Table) -> ColumnElement[bool]:
    """True for a host of the promised table that did not come up yet."""
    state = table.c.StillInvestig
    return or_(state.is_(None), state == "")


def is_stopped(table: Table) -> ColumnElement[bool]:
    """True for a host of the promised table that was given up."""
    return func.coalesce(table.c.StillInvestig.startswith(STOP_CHECKING), false())


class Newcomers:
    """Makes the rows of ctm_followup."""

    def __init__(self, database: Database, table: Table) -> None:
        self._database = database
        self._table = table
        self._host_id = table.c[HOST_ID]
        # A database may hold several promised tables, which share the numbers.
        self._counter = f"followed in {table.name}"
        self._is_reviewed = False

    def take_in(self) -> None:
        """
        Makes the rows that are missing, in steps; quick when none is.

        The first time it also looks for hosts that were given up and whose
        StillInvestig was emptied since: they are followed as if they were new.
        """
        is_done = False
        while not is_done:
            with self._database.writing() as connection:
                numbered = self._give_numbers(connection)
                added = self._add_rows(connection)
                is_done = max(numbered, added) < _HOSTS_AT_ONCE
                if is_done and not self._is_reviewed:
                    self._follow_again(connection)
        self._is_reviewed = True

    def _give_numbers(self, connection: Connection) -> int:
        c = self._table.c
        last = _counted(connection, HOST_COUNTER)
        number = func.row_number().over(order_by=c.Domain) + last
        without = (
            select(c.Domain, number.label("number"))
            .where(self._host_id.is_(None))
            .order_by(c.Domain)
            .limit(_HOSTS_AT_ONCE)
            .subquery()
        )
        update = self._table.update().where(c.Domain == without.c.Domain)
        given = connection.execute(update.values({HOST_ID: without.c.number})).rowcount
        if given:
            self._count(connection, HOST_COUNTER, last + given)
        return given

    def _add_rows(self, connection: Connection) -> int:
        last = _counted(connection, self._counter)
        new = (
            select(self._host_id)
            .where(self._host_id > last)
            .order_by(self._host_id)
            .limit(_HOSTS_AT_ONCE)
            .subquery()
        )
        query = select(func.count(), func.max(new.c[HOST_ID]))
        found, top = connection.execute(query).one()
        if not found:
            return 0
        constant = FREE | NEVER_VISITED
        stopped = is_stopped(self._table)
        rows = select(
            self._host_id,
            stopped,
            case((stopped, null()), else_=literal("")),
            *(
                literal(value, FOLLOWUP.c[name].type)
                for name, value in constant.items()
            ),
        ).where(self._host_id > last, self._host_id <= top)
        insert = self._database.insert(FOLLOWUP).from_select(
            ["host_id", "is_stopped", "next_visit", *constant], rows
        )
        connection.execute(insert.on_conflict_do_nothing())
        self._count(connection, self._counter, top)
        return int(found)

    def _follow_again(self, connection: Connection) -> None:
        followed = select(self._host_id).where(is_followed(self._table))
        c = FOLLOWUP.c
        update = FOLLOWUP.update().where(
            or_(c.is_stopped == true(), c.next_visit.is_(None)), c.host_id.in_(followed)
        )
        connection.execute(
            update.values(is_stopped=False, next_visit="", **NEVER_VISITED)
        )

    def _count(self, connection: Connection, name: str, value: int) -> None:
        insert = self._database.insert(COUNTER).values(name=name, value=value)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=[COUNTER.c.name], set_={"value": insert.excluded.value}
            )
        )


def _counted(connection: Connection, name: str) -> int:
    query = select(COUNTER.c.value).where(COUNTER.c.name == name)
    return connection.execute(query).scalar() or 0
