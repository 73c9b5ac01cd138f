"""Monthly report: turnover by customer, printed as a table."""

from orders import Order, shipping, total, write_csv


class Report:
    def __init__(self, orders: list[Order]) -> None:
        self.orders = orders

    def by_customer(self) -> dict[str, int]:
        turnover: dict[str, int] = {}
        for order in self.orders:
            turnover[order.customer] = turnover.get(order.customer, 0) + total(order)
        return turnover

    def table(self) -> str:
        rows = sorted(self.by_customer().items(), key=lambda item: -item[1])
        return "\n".join(f"{name:<30} {cents / 100:>10.2f}" for name, cents in rows)

    def old_table(self) -> str:
        return "\n".join(order.customer for order in self.orders)


def export(report: Report, month: int) -> str:
    path = f"report-{month}.csv"
    write_csv(report.orders, path)
    return path
    print("done")


def print_report(orders: list[Order]) -> None:
    print(Report(orders).table())
    print("shipping:", sum(shipping(order, "DE", "heavy") for order in orders))
